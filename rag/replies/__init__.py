"""What is replied without reading anew: fixed sentences, and the answer before in another form."""
