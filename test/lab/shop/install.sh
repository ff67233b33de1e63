#!/bin/sh
# A new installation, as its manual would have it. On stdin: the database's password, then Redis'.
set -eu
umask 077
IFS= read -r database
IFS= read -r cache
mariadb <<SQL
CREATE DATABASE shop;
CREATE USER shop@localhost IDENTIFIED BY '$database';
GRANT SELECT, INSERT ON shop.* TO shop@localhost;
CREATE TABLE shop.note (text VARCHAR(100));
INSERT INTO shop.note VALUES ('first'), ('second');
SQL
printf 'requirepass %s\n' "$cache" >>/etc/redis/redis.conf
systemctl restart redis-server
mkdir -p /etc/shop
printf '# The shop\nDB_PASSWORD=%s\nREDIS_PASSWORD=%s\n' "$database" "$cache" >/etc/shop/shop.env
systemctl enable --now shop
