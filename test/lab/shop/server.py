"""A small web application with MariaDB and Redis: what a note is kept in, and what counts visits."""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pymysql
import redis


def database():
    return pymysql.connect(
        unix_socket="/run/mysqld/mysqld.sock", user="shop", password=os.environ["DB_PASSWORD"], database="shop"
    )


def cache():
    return redis.Redis(password=os.environ["REDIS_PASSWORD"], socket_timeout=5)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        """Every request logs in anew, so that a password that no longer counts is noticed at once."""
        try:
            with database() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM note")
                answer = {"notes": cursor.fetchone()[0], "visits": cache().incr("visits")}
            self.reply(200, answer)
        except Exception as error:  # the page says that it is ill, whatever the illness
            self.reply(503, {"error": type(error).__name__})

    def reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
