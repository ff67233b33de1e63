import type { Outcome, Target } from '../core/module.ts'
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
    argc: words.length,
    ...Object.fromEntries(words.map((word, i) => [`arg${i}`, word])),
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
