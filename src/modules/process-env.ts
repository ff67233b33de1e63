import { createHash } from 'node:crypto'
import { problem } from '../core/error.ts'
import { defineAction, type Outcome } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { reveal } from '../core/secret.ts'
import { composeCli, composeParams } from '../resources/compose.ts'
import { projectOf } from './compose-service.ts'

/*
 * Prints "PID HASH" for each process, HASH being sha256(nonce + value), `absent` or `unreadable`. NUL and newline change
 * places, so that every variable is one line whatever is in it.
 */
const hashEnviron = sh`
hash_of() {
  value=$(tr '\000\n' '\n\001' | sed -n "s/^$p_name=//p" | head -n 1; printf x)
  if [ "$value" = x ]; then printf 'absent'; return; fi
  { printf '%s' "$p_nonce"; printf '%s' "\${value%??}" | tr '\001' '\n'; } | sha256sum | cut -d ' ' -f 1
}
of_process() {
  if ! [ -d "/proc/$1" ]; then rt_set problem "there is no process $1"; exit 1; fi
  if [ -r "/proc/$1/environ" ] && cat "/proc/$1/environ" >/dev/null 2>&1; then
    printf '%s %s\n' "$1" "$(hash_of <"/proc/$1/environ")"
  else
    printf '%s unreadable\n' "$1"
  fi
}
# The container's own /proc/1, since its pid need not mean anything out here; a container without cat is read from outside.
of_container() {
  if docker exec "$1" cat /proc/1/environ </dev/null >/dev/null 2>&1; then
    printf '%s %s\n' "$1" "$(docker exec "$1" cat /proc/1/environ </dev/null | hash_of)"
  else
    pid=$(docker inspect -f '{{.State.Pid}}' "$1") || { rt_set problem "there is no container $1"; exit 1; }
    if [ "$pid" = 0 ]; then rt_set problem "the container $1 is not running"; exit 1; fi
    of_process "$pid"
  fi
}
command -v sha256sum >/dev/null 2>&1 || { rt_set problem "the host has no sha256sum"; exit 1; }
`
const byProcess = joinScripts(
  hashEnviron,
  sh`
case $p_by in
  pid) of_process "$p_pid" ;;
  pidfile)
    pid=$(cat -- "$p_pidfile") || { rt_set problem "$p_pidfile cannot be read"; exit 1; }
    of_process "$(printf '%s' "$pid" | tr -d ' \n')" ;;
  container) of_container "$p_container" ;;
  match)
    for dir in /proc/[0-9]*; do
      words=$(tr '\000' ' ' <"$dir/cmdline" 2>/dev/null) || continue
      case $words in *"$p_match"*) if [ -d "$dir" ]; then of_process "\${dir#/proc/}"; fi ;; esac
    done ;;
esac
`,
)
const byService = joinScripts(
  composeCli,
  hashEnviron,
  sh`
ids=$(compose ps -q "$p_service" </dev/null) || { rt_set problem "compose ps $p_service failed"; exit 1; }
for id in $ids; do of_container "$id"; done
`,
)

const params = {
  name: { type: 'string', required: true, doc: 'The environment variable.' },
  expected: {
    type: 'secret',
    required: true,
    doc: 'What it has to hold. Neither value is ever shown, or sent.',
  },
  pid: { type: 'int', doc: 'The process.' },
  pidfile: { type: 'path', doc: 'File with its process id.' },
  match: {
    type: 'string',
    doc: 'Text that the command lines of the processes contain; all of them have to hold the value.',
  },
  container: { type: 'string', doc: 'Container whose main process is meant.' },
  service: { type: 'string', doc: 'Compose service, all of whose containers are meant.' },
  project_src: { type: 'path', default: '', doc: 'As for compose_stack.' },
  files: { type: 'list', default: [], doc: 'As for compose_stack.' },
  env_file: { type: 'path', default: '', doc: 'As for compose_stack.' },
  project_name: { type: 'string', default: '', doc: 'As for compose_stack.' },
} as const

const choices = ['pid', 'pidfile', 'match', 'container', 'service'] as const

export const processEnv = defineAction({
  name: 'process_env',
  summary: 'Proves what a running process holds in its environment, without showing it.',
  notes: [
    'A restart that “succeeded” is no proof that the new process has the new value. This compares sha256 of a fresh nonce and the value, made from /proc on the host, with the same made here.',
    'It reads the environment the process was started with. Reading another user’s process needs become.',
  ],
  reads: true,
  params,
  rules: { mutuallyExclusive: [choices], requiredOneOf: [choices] },
  returns: {
    matches: { doc: 'Whether every process holds the expected value.' },
    processes: { doc: 'Process or container ids with what was found: same, different, absent, unreadable.' },
  },
  examples: `
- name: The panel runs with the new key
  process_env:
    name: JWT_SECRET
    expected: "{{ secrets.JWT_SECRET }}"
    pidfile: /run/panel.pid
`,
  async run(t, args): Promise<Outcome> {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(args.name))
      throw problem('E_PARAMS', `process_env: ${JSON.stringify(args.name)} is no name of a variable`)
    const by = choices.find(choice => args[choice] !== undefined)
    if (by === undefined) throw problem('E_PARAMS', `process_env: give one of ${choices.join(', ')}`)
    const nonce = t.operator.random(16).toString('hex')
    const ran = await t.run(by === 'service' ? byService : byProcess, {
      ...composeParams(projectOf(args.project_src, args)),
      ...{ name: args.name, nonce, by, pid: args.pid, pidfile: args.pidfile, match: args.match },
      ...{ container: args.container, service: args.service },
    })
    const want = createHash('sha256').update(nonce).update(reveal(args.expected)).digest('hex')
    const lines = ran.stdout
      .toString('utf8')
      .split('\n')
      .filter(line => line !== '')
    const processes = lines.map(line => {
      const [id = '', hash = ''] = line.split(' ')
      return { id, found: /^[0-9a-f]{64}$/.test(hash) ? (hash === want ? 'same' : 'different') : hash }
    })
    return outcomeFor(
      args.name,
      processes,
      ran.values['problem'] ?? (ran.exit === 0 ? undefined : 'the script failed'),
    )
  },
})

interface Found {
  readonly id: string
  readonly found: string
}

function outcomeFor(name: string, processes: readonly Found[], why: string | undefined): Outcome {
  const bad = processes.find(one => one.found !== 'same')
  const matches = why === undefined && processes.length > 0 && bad === undefined
  const values = { matches, processes }
  if (matches) return { changed: false, values }
  const says: Readonly<Record<string, string>> = {
    different: `holds another value of ${name} than expected`,
    absent: `has no variable ${name}`,
    unreadable: 'cannot be read: become the user it runs as, or root',
  }
  const msg =
    why ?? (bad === undefined ? 'no such process is running' : `${bad.id} ${says[bad.found] ?? bad.found}`)
  return { changed: false, failed: true, msg, values }
}
