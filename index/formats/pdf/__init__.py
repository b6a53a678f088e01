"""PDF → `Document`: lines with their boxes, put in reading order and joined to paragraphs.

`page_text` gets lines out of a page, `columns` puts them in the order in which they are read,
`paragraphs` joins them, `picture` draws a page with a sentence boxed. Coordinates are points of
the page as it is shown: x from its left edge, y from its top.
"""
