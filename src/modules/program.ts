import type { Outcome, Target } from '../core/module.ts'
import { argvParams, type Ran, type ScriptParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { pathScript } from '../resources/path-script.ts'
import { environmentParams } from './environment.ts'

/** A program of the user's to be started on the target, as command, shell, script and raw give it. */
export interface Program {
  /** What runs: words that reach exec as they are, text for a shell, or a file of the operator's with its words. */
  readonly start:
    | { readonly argv: readonly string[] }
    | { readonly text: string | Secret; readonly shell: string }
    | { readonly file: Uint8Array; readonly executable: readonly string[]; readonly argv: readonly string[] }
  /** `~` and the names of variables in argv are expanded on the target. */
  readonly expands?: boolean
  readonly chdir?: string | undefined
  readonly creates?: string | undefined
  readonly removes?: string | undefined
  readonly stdin?: string | Secret | undefined
  readonly addNewline?: boolean
}

/** What came of it: not started because of creates/removes, not started because of check mode, not there, or ran. */
export type Started =
  | { readonly kind: 'skipped'; readonly path: string; readonly why: string }
  | { readonly kind: 'foreseen'; readonly wouldChange: boolean }
  | { readonly kind: 'missing'; readonly why: string }
  | { readonly kind: 'ran'; readonly ran: Ran; readonly start: Date; readonly end: Date }

/*
 * Words are expanded before secrets are exported, so that none gets into an argv. A shell text that holds a secret reaches its shell by a pipe on descriptor 9, so that no argv shows it: the shell is
 * started with a constant text that evals what it reads. `shift` inside the eval clears $1 after it was expanded.
 */
export const beginning = sh`
has_match() {
  expand "$1"
  IFS=
  # shellcheck disable=SC2086 # a glob of the user's: only pathname expansion is wanted, and IFS is empty
  for f in $expanded; do if [ -e "$f" ] || [ -L "$f" ]; then unset IFS; return 0; fi; done
  unset IFS
  return 1
}
# The folder is the real one: a link in it is not part of PWD, as in Ansible.
begin() {
  if [ -n "$p_chdir" ]; then
    expand "$p_chdir"
    cd -P -- "$expanded" || { rt_set missing "Unable to change directory before execution: $p_chdir"; exit 1; }
  fi
  if [ -n "$p_creates" ] && has_match "$p_creates"; then rt_set skipped exists; exit 0; fi
  if [ -n "$p_removes" ] && ! has_match "$p_removes"; then rt_set skipped 'does not exist'; exit 0; fi
  if [ "$p_dry" = 1 ]; then exit 0; fi
}
`

const program = joinScripts(
  pathScript,
  beginning,
  sh`
begin
for n in $p_environment; do
  case " $p_sealed " in *" $n "*) ;; *) eval "export \"$n=\$p_env_$n\"" ;; esac
done
set --
i=0
while [ "$i" -lt "$p_argc" ]; do
  eval "expanded=\$p_arg$i"
  if [ "$p_expands" = 1 ]; then expand_word "$expanded"; fi
  set -- "$@" "$expanded"
  i=$((i + 1))
done
for n in $p_sealed; do eval "export \"$n=\$p_env_$n\""; done
command -v -- "$1" >/dev/null 2>&1 || { rt_set missing "no program $1 that can be executed was found"; exit 2; }
start() {
  case $p_kind in
    argv) exec "$@" ;;
    text) exec "$p_shell" -c "$p_text" ;;
    secret)
      exec 8<&0
      # shellcheck disable=SC2016 # the inner shell expands it
      printf '%s' "$p_text" | { exec 9<&0 0<&8 8<&-; exec "$p_shell" -c 'set -- "$(cat <&9)"; exec 9<&-; eval "shift; $1"'; } ;;
  esac
}
if [ "$p_newline" = 1 ]; then { cat; printf '\n'; } | start "$@"; else start "$@"; fi
`,
)

const uploaded = joinScripts(
  pathScript,
  beginning,
  sh`
begin
umask 077
file=$(mktemp "\${TMPDIR:-/tmp}/rota-script.XXXXXX") || exit 1
trap 'rm -f -- "$file"' EXIT
trap 'exit 130' INT TERM HUP
cat >"$file" && chmod 700 "$file" || exit 1
umask 022
set --
i=0
while [ "$i" -lt "$p_argc" ]; do
  if [ "$i" -eq "$p_before" ]; then set -- "$@" "$file"; fi
  eval "set -- \"\$@\" \"\$p_arg$i\""
  i=$((i + 1))
done
if [ "$i" -eq "$p_before" ]; then set -- "$@" "$file"; fi
(
  for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
  exec "$@" </dev/null
)
`,
)

function startParams(start: Program['start']): ScriptParams {
  if ('file' in start)
    return { before: start.executable.length, ...argvParams([...start.executable, ...start.argv]) }
  if ('argv' in start) return { kind: 'argv', ...argvParams(start.argv) }
  const kind = start.text instanceof Secret ? 'secret' : 'text'
  return { kind, argc: 1, arg0: start.shell, text: start.text, shell: start.shell }
}

/** Starts the program and waits for it. Throws E_UNKNOWN when the outcome is unknown. */
export async function runProgram(t: Target, p: Program): Promise<Started> {
  const file = 'file' in p.start ? p.start.file : undefined
  const params = {
    ...startParams(p.start),
    ...environmentParams(t),
    sealed: Object.keys(t.environment)
      .filter(name => t.environment[name] instanceof Secret)
      .join(' '),
    expands: p.expands === true,
    chdir: p.chdir ?? '',
    creates: p.creates ?? '',
    removes: p.removes ?? '',
    newline: p.stdin !== undefined && p.addNewline === true,
    dry: t.check,
  }
  const stdin = file ?? p.stdin
  const start = t.operator.now()
  const ran = await t.run(file === undefined ? program : uploaded, params, {
    ...(stdin === undefined ? {} : { stdin }),
    // From -vvv on the result is shown in lines, output included.
    live: t.verbosity === 1 || t.verbosity === 2,
  })
  const end = t.operator.now()
  const { skipped, missing } = ran.values
  if (skipped !== undefined)
    return { kind: 'skipped', path: (skipped === 'exists' ? p.creates : p.removes) ?? '', why: skipped }
  if (missing !== undefined) return { kind: 'missing', why: missing }
  if (t.check) return { kind: 'foreseen', wouldChange: p.creates !== undefined || p.removes !== undefined }
  return { kind: 'ran', ran, start, end }
}

const LINE_ENDS = '\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029'
const LINE_END = new RegExp(`\r\n|[${LINE_ENDS}]`)
/** Python's `str.splitlines()`. */
export function splitLines(text: string): readonly string[] {
  const lines = text.split(LINE_END)
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

const two = (n: number): string => String(n).padStart(2, '0')
/** `2026-11-23 03:51:49.120000`, UTC: the form of Ansible's start and end. */
export function renderTime(at: Date): string {
  return at.toISOString().replace('T', ' ').replace('Z', '000')
}
/** `0:00:01.002000`: the form of Ansible's delta. */
export function renderDelta(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const clock = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return `${clock}.${String(ms % 1000).padStart(3, '0')}000`
}

/** rc, stdout, stderr and their lines. `strip` takes line ends off the end, as Ansible does unless told otherwise. */
export function renderOutput(ran: Ran, strip: boolean): Readonly<Record<string, unknown>> {
  const text = (bytes: Buffer): string =>
    strip ? bytes.toString('utf8').replace(/[\r\n]+$/, '') : bytes.toString('utf8')
  const stdout = text(ran.stdout)
  const stderr = text(ran.stderr)
  return {
    rc: ran.exit,
    stdout,
    stdout_lines: splitLines(stdout),
    stderr,
    stderr_lines: splitLines(stderr),
  }
}

/** The outcome of command and shell. `cmd` is what register gets under that name. */
export function outcomeOf(started: Started, cmd: unknown, strip: boolean): Outcome {
  const nothing = { stdout: '', stdout_lines: [], stderr: '', stderr_lines: [] }
  if (started.kind === 'skipped') {
    const stdout = `skipped, since ${started.path} ${started.why}`
    return {
      changed: false,
      msg: `Did not run command since '${started.path}' ${started.why}`,
      values: { ...nothing, cmd, rc: 0, stdout, stdout_lines: [stdout], start: null, end: null, delta: null },
    }
  }
  // What a program would do is known only by creates and removes; the rest is skipped, in Ansible's words.
  if (started.kind === 'foreseen')
    return {
      changed: started.wouldChange,
      skipped: !started.wouldChange,
      msg: 'Command would have run if not in check mode',
      values: { ...nothing, cmd, rc: 0 },
    }
  if (started.kind === 'missing')
    return { changed: false, failed: true, msg: started.why, values: { ...nothing, cmd, rc: 2 } }
  const { ran, start, end } = started
  return {
    changed: true,
    ...(ran.exit === 0 ? {} : { failed: true, msg: 'non-zero return code' }),
    values: {
      // Always registered in Ansible; nothing to show when it went well.
      msg: '',
      cmd,
      ...renderOutput(ran, strip),
      start: renderTime(start),
      end: renderTime(end),
      delta: renderDelta(end.getTime() - start.getTime()),
    },
  }
}
