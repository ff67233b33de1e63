import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { argvParams, type Ran } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { accept } from '../resources/file.ts'
import { parseWords } from './command-words.ts'
import { environmentParams } from './environment.ts'

const params = {
  name: { type: 'string', doc: 'A package. Without it: what package.json in `path` names.' },
  path: { type: 'path', doc: 'Folder of the project.' },
  version: { type: 'string', doc: 'Version of the package.' },
  global: { type: 'bool', default: false, doc: 'Install it for the whole host.' },
  state: {
    type: 'string',
    choices: ['absent', 'latest', 'present'],
    default: 'present',
    doc: 'Whether it is to be there; `latest` also updates it.',
  },
  ci: { type: 'bool', default: false, doc: 'Install exactly what package-lock.json says, from nothing.' },
  production: { type: 'bool', default: false, doc: 'Without what is only for development.' },
  registry: { type: 'string', doc: 'Registry to take packages from.' },
  ignore_scripts: { type: 'bool', default: false, doc: 'Do not run scripts of packages.' },
  no_optional: { type: 'bool', default: false, doc: 'Without optional packages.' },
  no_bin_links: { type: 'bool', default: false, doc: 'Make no links to programs.' },
  unsafe_perm: { type: 'bool', default: false, doc: 'Pass --unsafe-perm, for npm before 7.' },
  force: { type: 'bool', default: false, doc: 'Pass --force.' },
  executable: { type: 'string', doc: 'The npm to use, with words before it if need be.' },
} as const
type NpmArgs = Args<typeof params>

const npmScript = sh`
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
tilde='~'
path=$p_path
case $path in "$tilde"/*) path=$HOME/\${path#"$tilde"/} ;; esac
if [ -n "$path" ]; then
  if [ "$p_make" = 1 ]; then mkdir -p -- "$path" || rt_fail "cannot make the folder $path"; fi
  if ! [ -d "$path" ] && [ "$p_check" = 1 ]; then printf '{}'; exit 0; fi
  cd -- "$path" || rt_fail "there is no folder $path"
fi
NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false
export NPM_CONFIG_UPDATE_NOTIFIER NPM_CONFIG_FUND NPM_CONFIG_AUDIT
set --
i=0
while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
rt_need "$1" "Failed to find required executable \"$1\""
"$@" </dev/null 8>&-
rt_set code "$?"
exit 0
`

interface Listed {
  readonly dependencies?: Readonly<
    Record<string, { version?: string; missing?: boolean; invalid?: unknown; resolved?: string }>
  >
  readonly problems?: readonly string[]
}

const npmWords = (args: NpmArgs): readonly string[] =>
  args.executable === undefined ? ['npm'] : parseWords(args.executable)

async function call(t: Target, args: NpmArgs, words: readonly string[], mode: 'look' | 'do'): Promise<Ran> {
  const all = [...npmWords(args), ...words]
  return accept(
    t,
    await t.run(npmScript, {
      ...environmentParams(t),
      path: args.path ?? '',
      make: mode === 'do' && args.name !== undefined,
      check: t.check || mode === 'look',
      ...argvParams(all),
    }),
  )
}

const scope = (args: NpmArgs): readonly string[] => (args.global ? ['--global'] : [])

/** What npm says is installed. Its exit status tells of problems too, so only its JSON counts. */
async function list(t: Target, args: NpmArgs): Promise<Listed> {
  const ran = await call(
    t,
    args,
    [
      'list',
      '--json',
      '--depth=0',
      '--long=false',
      ...scope(args),
      ...(args.production ? ['--production'] : []),
    ],
    'look',
  )
  try {
    return JSON.parse(ran.stdout.toString() || '{}') as Listed
  } catch {
    const said = t.redactor.clean(ran.stderr.toString().trim().split('\n').at(-1) ?? '')
    throw problem('E_TASK', `npm: cannot read what is installed: ${said}`, {
      hint: 'run npm list there by hand',
    })
  }
}

/** Whether newer versions can be had: npm outdated lists them as an object. */
async function isOutdated(t: Target, args: NpmArgs): Promise<boolean> {
  const words = [
    'outdated',
    '--json',
    ...scope(args),
    ...registry(args),
    ...(args.name === undefined ? [] : [args.name]),
  ]
  const text = (await call(t, args, words, 'look')).stdout.toString().trim()
  return text !== '' && text !== '{}'
}

const registry = (args: NpmArgs): readonly string[] =>
  args.registry === undefined ? [] : [`--registry=${args.registry}`]

function selectWords(args: NpmArgs, verb: string): readonly string[] {
  const flag = (is: boolean, word: string): readonly string[] => (is ? [word] : [])
  const options = [
    ...scope(args),
    ...flag(args.production, '--production'),
    ...flag(args.ignore_scripts, '--ignore-scripts'),
    ...flag(args.unsafe_perm, '--unsafe-perm'),
    ...flag(args.no_optional, '--no-optional'),
    ...flag(args.no_bin_links, '--no-bin-links'),
    ...flag(args.force, '--force'),
    ...registry(args),
  ]
  const wanted = args.state === 'latest' ? 'latest' : args.version
  const isPlain = args.name !== undefined && /^(?:@[^/]+\/)?[^/:@]+$/.test(args.name)
  const name =
    args.name === undefined
      ? []
      : [verb === 'install' && wanted !== undefined && isPlain ? `${args.name}@${wanted}` : args.name]
  return [verb, ...options, ...name]
}

/** Installed as asked for. A path or URL is found by where the package came from. */
function isThere(args: NpmArgs, { dependencies = {} }: Listed): boolean {
  const found =
    dependencies[args.name!] ??
    Object.values(dependencies).find(one => one.resolved?.endsWith(args.name!.replace(/^\.*\//, '')))
  if (found === undefined || found.missing || found.invalid) return false
  return args.version === undefined || found.version === args.version
}

/** The words for npm, or undefined when nothing is to be done. */
async function plan(t: Target, args: NpmArgs): Promise<readonly string[] | undefined> {
  if (args.ci) return selectWords(args, 'ci')
  const listed = await list(t, args)
  const { dependencies = {} } = listed
  if (args.state === 'absent')
    return isThere({ ...args, version: undefined as never }, listed)
      ? selectWords(args, 'uninstall')
      : undefined
  const isBroken =
    args.name === undefined
      ? Object.values(dependencies).some(one => one.missing || one.invalid) ||
        (listed.problems?.length ?? 0) > 0
      : !isThere(args, listed)
  if (isBroken) return selectWords(args, 'install')
  if (args.state === 'latest' && (await isOutdated(t, args)))
    return selectWords(args, args.name === undefined ? 'update' : 'install')
  return undefined
}

export const npm = defineAction({
  name: 'npm',
  summary: 'Install or remove packages of Node.js with npm.',
  notes: [
    'npm’s own list says what is installed and what is missing. `ci` always counts as a change.',
    'It is not undone: install scripts may have done anything, and a tree that npm made once is not made the same again. Install into a second folder and change a link to it.',
  ],
  params,
  foresees: true,
  returns: {
    cmd: { doc: 'Words that npm got; absent when there was nothing to do.' },
    stdout: { doc: 'What npm printed.' },
    stderr: { doc: 'What npm said.' },
  },
  examples: `
- community.general.npm: { path: /opt/panel, ci: true, production: true }
`,
  async run(t, args): Promise<Outcome> {
    const refuse = (what: string, hint: string): never => {
      throw problem('E_PARAMS', `npm: ${what}`, { hint })
    }
    if (args.path === undefined && !args.global)
      refuse('path must be specified when not using global', 'add path')
    if (args.state === 'absent' && args.name === undefined)
      refuse('uninstalling needs name', 'name a package')
    if (args.ci && args.name !== undefined) refuse('ci installs what the lock file says', 'leave out name')
    if (args.name?.startsWith('-')) refuse(`${args.name} is no package`, 'name a package')
    const words = await plan(t, args)
    if (words === undefined) return { changed: false }
    if (t.check) return { changed: true, values: { cmd: words } }
    const ran = await call(t, args, words, 'do')
    const stderr = ran.stderr.toString().trim()
    const values = { cmd: words, stdout: ran.stdout.toString(), stderr }
    if (ran.values['code'] === '0') return { changed: true, values }
    const why =
      stderr
        .split('\n')
        .find(line => /^npm (?:error|ERR!) (?!code|syscall|path|errno|A complete log)/.test(line)) ??
      `exit status ${ran.values['code']}`
    return { changed: true, failed: true, msg: `npm ${words[0]}: ${t.redactor.clean(why)}`, values }
  },
})
