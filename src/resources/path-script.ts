import { sh } from '../core/script.ts'

/**
 * `expand PATH` sets `expanded`: the path as Ansible reads one of type `path`. `~`, `~/x` and `~user/x` are home folders, `$NAME` and
 * `${NAME}` a variable of the session's environment where there is one; what is relative begins with `./`, so that it is no option. `expand_word WORD` does the same with a word of a command
 * line: what cannot be read so stays as it is.
 */
export const pathScript = sh`
expand_names() {
  rest=$1
  expanded=
  while :; do
    case $rest in *'$'*) ;; *) break ;; esac
    expanded=$expanded\${rest%%\$*}
    rest=\${rest#*\$}
    case $rest in
      \{[A-Za-z_]*\}*) name=\${rest#\{}; name=\${name%%\}*}; after=\${rest#*\}}; as="{$name}" ;;
      [A-Za-z_]*) name=\${rest%%[!A-Za-z0-9_]*}; after=\${rest#"$name"}; as=$name ;;
      *) expanded=$expanded\$; continue ;;
    esac
    case $name in
      *[!A-Za-z0-9_]*) expanded=$expanded\$$as ;;
      *) if env | grep -q "^$name="; then eval "expanded=\$expanded\$$name"; else expanded=$expanded\$$as; fi ;;
    esac
    rest=$after
  done
  expanded=$expanded$rest
}
expand_home() {
  expanded=$1
  case $1 in
    \~) expanded=$HOME ;;
    \~/*) expanded=$HOME/\${1#\~/} ;;
    \~*)
      of=\${1%%/*}
      entry=$(getent passwd "\${of#\~}" 2>/dev/null || grep "^\${of#\~}:" /etc/passwd) || return 1
      entry=\${entry%:*}
      expanded=\${entry##*:}\${1#"$of"} ;;
  esac
}
expand() {
  expanded=$1
  case $expanded in *'$'*) expand_names "$expanded" ;; esac
  case $expanded in
    \~*) expand_home "$expanded" || rt_fail "$1: there is no user \${of#\~}" ;;
    /*) ;;
    *) expanded=./$expanded ;;
  esac
}
expand_word() {
  expanded=$1
  case $1 in \~*) expand_home "$1" || : ;; esac
  case $expanded in *'$'*) expand_names "$expanded" ;; esac
}
`
