#!/bin/sh
printf '%s\n' "hello $# $1 $2"
[ "$1" != fail ] || exit 7
