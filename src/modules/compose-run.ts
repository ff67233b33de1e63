import type { Outcome, Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { argvParams } from '../core/remote.ts'
import { joinScripts, sh } from '../core/script.ts'
import { type ComposeProject, composeCli, composeParams } from '../resources/compose.ts'

/** Runs one compose command and tells how the project's containers were before and after it. */
const stack = joinScripts(
  composeCli,
  sh`
if [ -n "$p_v2_only" ] && [ "\${compose_version:-}" = 1 ]; then rt_set problem "docker-compose 1 has no $p_v2_only"; exit 90; fi
# A lost snapshot must not look like a change, so its failure ends the task.
snapshot() {
  ids=$(compose ps -a -q </dev/null) || return 1
  # shellcheck disable=SC2086 # one word for each id
  [ -z "$ids" ] || docker inspect -f '{{.Name}} {{.Id}} {{.State.Status}} {{.State.StartedAt}}' $ids
}
before=$(snapshot) || { rt_set problem "compose ps failed"; exit 91; }
set --
i=0
while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
compose "$@" </dev/null
code=$?
after=$(snapshot) || { rt_set problem "compose ps failed"; exit 91; }
rt_set before "$before"
rt_set after "$after"
exit "$code"
`,
)

export const flag = (is: boolean, ...words: readonly string[]): readonly string[] => (is ? words : [])
export const seconds = (name: string, value: number | undefined): readonly string[] =>
  value === undefined ? [] : [name, String(value)]

/** Options of every module that runs compose. */
export const stackParams = {
  services: { type: 'list', default: [], doc: 'Only these services.' },
  dependencies: { type: 'bool', default: true, doc: 'Also the services that these depend on.' },
  recreate: {
    type: 'string',
    choices: ['auto', 'always', 'never'],
    default: 'auto',
    doc: 'Make new containers when their configuration changed, always, or never.',
  },
  build: {
    type: 'string',
    choices: ['policy', 'always', 'never'],
    default: 'policy',
    doc: 'Build images: when missing, always, or never.',
  },
  pull: {
    type: 'string',
    choices: ['policy', 'always', 'missing', 'never'],
    default: 'policy',
    doc: 'Pull images before starting: as the compose file says, always, when missing, or never (compose v2).',
  },
  wait: {
    type: 'bool',
    default: false,
    doc: 'Wait until the services are running and healthy (compose v2).',
  },
  wait_timeout: { type: 'int', doc: 'Seconds to wait at the most (compose v2).' },
  timeout: { type: 'int', doc: 'Seconds a container gets to stop.' },
  remove_orphans: {
    type: 'bool',
    default: false,
    doc: 'Remove containers of services that are no longer in the files.',
  },
  remove_volumes: { type: 'bool', default: false, doc: 'With `absent`: remove the volumes too.' },
} as const
type StackArgs = Args<typeof stackParams>

/** The words of `up` for these options: those that every compose knows, and those that only v2 does. */
export function upWords(args: StackArgs): {
  readonly words: readonly string[]
  readonly v2: readonly string[]
} {
  return {
    words: [
      ...['up', '-d'],
      ...seconds('-t', args.timeout),
      ...flag(args.remove_orphans, '--remove-orphans'),
      ...flag(args.recreate === 'always', '--force-recreate'),
      ...flag(args.recreate === 'never', '--no-recreate'),
      ...flag(args.build === 'always', '--build'),
      ...flag(args.build === 'never', '--no-build'),
      ...flag(!args.dependencies, '--no-deps'),
    ],
    v2: [
      ...flag(args.pull !== 'policy', '--pull', args.pull),
      ...flag(args.wait, '--wait'),
      ...seconds('--wait-timeout', args.wait ? args.wait_timeout : undefined),
    ],
  }
}

/** The words of `down` for these options. */
export const downWords = (args: StackArgs): readonly string[] => [
  'down',
  ...seconds('-t', args.timeout),
  ...flag(args.remove_orphans, '--remove-orphans'),
  ...flag(args.remove_volumes, '-v'),
]

/** `/stack-app-1 ID running 2026-…` for each container to data. */
function parseContainers(text: string): readonly Readonly<Record<string, string>>[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [name = '', id = '', state = '', started = ''] = line.split(' ')
      return { name: name.replace(/^\//, ''), id, state, started }
    })
}

/**
 * Runs `docker compose WORDS` in the project. `v2Only`: the first of the words that compose 1 does not know, or ''. Changed means that
 * a container is another one, or was started or stopped.
 */
export async function runCompose(
  t: Target,
  project: ComposeProject,
  words: readonly string[],
  v2Only: string,
): Promise<Outcome> {
  const ran = await t.run(stack, {
    ...composeParams(project),
    v2_only: v2Only,
    ...argvParams(words),
  })
  const { problem: why, before = '', after = '' } = ran.values
  const stderr = ran.stderr.toString('utf8').trim()
  const values = {
    rc: ran.exit,
    stdout: ran.stdout.toString('utf8').trim(),
    stderr,
    containers: parseContainers(after),
  }
  const changed = before !== after
  if (why === undefined && ran.exit === 0) return { changed, values }
  const last = stderr.split('\n').at(-1) || `exit status ${ran.exit}`
  const said = why === undefined || why === 'compose ps failed' ? [why, last] : [why]
  const msg = `compose ${words[0]}: ${t.redactor.clean(said.filter(Boolean).join(': '))}`
  return { changed, failed: true, msg, values }
}
