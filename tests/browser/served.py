"""A server in a process of its own, on a given database and port: to be killed and started again."""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args) -> None:
        pass


def main(database: str, port: str) -> None:
    """Serve until killed."""
    settings.DATABASES["default"]["NAME"] = database
    settings.DEBUG = True  # static files are served that nobody collected
    django.setup()
    app = StaticFilesHandler(get_wsgi_application())
    make_server("127.0.0.1", int(port), app, Server, Quiet).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
