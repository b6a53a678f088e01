"""What is answered without a model: fixed sentences, composed sources, the last answer again."""
