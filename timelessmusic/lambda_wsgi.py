"""AWS Lambda's way into the web application: an HTTP API's events (payload format 2.0) become WSGI requests."""

from apig_wsgi import make_lambda_handler

from timelessmusic.wsgi import application

handler = make_lambda_handler(application, binary_support=True)
