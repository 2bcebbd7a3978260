"""The studio: a local web app to drop a picture into, watch it being drawn, and edit the layers.

    command.py    what `layervec studio` does: a socket, an address with a token, a browser
    home.py       the folder of the works, held by one server and swept of leftovers
    door.py       how the browser gets the address, and nobody else
    server.py     the app: the page's own files, and what is said where something goes wrong
    addresses.py  the addresses of works and what they answer
    guard.py      what is let in: token, host, origin, size of bodies; what every answer says
    wishes.py     what a page may ask for, checked
    uploads.py    files as they come in
    desks.py      works with their news and jobs
    edited.py     edits that were wished for
    works.py      pictures and drawings on disk, with undo
    jobs.py       the queue, and the processes that work it off
    worker.py     what such a process does: it draws
    errands.py    or does what is short: reads drawings, looks at pictures, edits, makes files
    news.py       what a page is told while it looks at a work
    export.py     drawings as files
    page/         the page: plain ES modules and CSS, with the viewer that reports use too

Needs the extra `studio`. Nothing else in layervec knows that this package exists, but the command line.
"""
