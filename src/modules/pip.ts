import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { argvParams, listParams } from '../core/remote.ts'
import { sh } from '../core/script.ts'
import { accept } from '../resources/file.ts'
import { parseWords } from './command-words.ts'
import { environmentParams } from './environment.ts'

const params = {
  name: { type: 'list', default: [], doc: 'Packages, with version specifiers; paths and URLs too.' },
  version: { type: 'string', doc: 'Version of the one package in `name`.' },
  requirements: { type: 'path', doc: 'A requirements file of the target.' },
  state: {
    type: 'string',
    choices: ['absent', 'forcereinstall', 'latest', 'present'],
    default: 'present',
    doc: 'Whether they are to be there; `forcereinstall` installs them again whatever is there.',
  },
  virtualenv: { type: 'path', doc: 'Virtual environment to install into; made when it is not there.' },
  virtualenv_command: {
    type: 'string',
    doc: 'Command that makes it. Default: virtualenv where the target has it, else python3 -m venv.',
  },
  virtualenv_python: { type: 'string', doc: 'Python for a new virtual environment.' },
  virtualenv_site_packages: {
    type: 'bool',
    default: false,
    doc: 'A new virtual environment sees the packages of the system.',
  },
  executable: { type: 'path', doc: 'The pip to use. Default: pip of python3, else pip3 or pip.' },
  extra_args: { type: 'string', default: '', doc: 'More words for pip; no secrets.' },
  editable: { type: 'bool', default: false, doc: 'Install paths so that they can be edited in place.' },
  chdir: { type: 'path', doc: 'Folder to be in.' },
  umask: { type: 'string', doc: 'umask for what is installed: `0022`.' },
  break_system_packages: {
    type: 'bool',
    default: false,
    doc: 'Install into a Python that the distribution manages.',
  },
} as const
type PipArgs = Args<typeof params>

const pipScript = sh`
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
tilde='~'
home() { case $1 in "$tilde"/*) printf '%s' "$HOME/\${1#"$tilde"/}" ;; *) printf '%s' "$1" ;; esac; }
PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT
if [ "$p_break" = 1 ]; then PIP_BREAK_SYSTEM_PACKAGES=1; export PIP_BREAK_SYSTEM_PACKAGES; fi
if [ -n "$p_umask" ]; then umask "$p_umask" || rt_fail "$p_umask is no umask"; fi
venv=$(home "$p_virtualenv")
if [ -n "$p_chdir" ]; then cd -- "$(home "$p_chdir")" || rt_fail "cannot change to the folder $p_chdir"; fi
python=python3
command -v python3 >/dev/null 2>&1 || python=python
make_venv() {
  set --
  i=0
  while [ "$i" -lt "$p_venvc" ]; do eval "set -- \"\$@\" \"\$p_venv$i\""; i=$((i + 1)); done
  if [ "$#" -eq 0 ]; then
    if command -v virtualenv >/dev/null 2>&1; then set -- virtualenv
    else set -- "\${p_python:-$python}" -m venv; p_python=''
    fi
  fi
  rt_need "$1" "this host has no $1 to make a virtual environment with"
  if [ "$p_site" = 1 ]; then set -- "$@" --system-site-packages; fi
  if [ -n "$p_python" ]; then set -- "$@" -p "$p_python"; fi
  "$@" "$venv" </dev/null >&2 8>&- || rt_fail "cannot make the virtual environment $venv"
}
if [ -n "$venv" ]; then
  if ! [ -x "$venv/bin/python" ]; then
    rt_set created 1
    if [ "$p_check" = 1 ]; then exit 0; fi
    make_venv
  fi
  case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
  python=$venv/bin/python
  pip() { "$python" -m pip "$@"; }
elif [ -n "$p_executable" ]; then
  p_executable=$(home "$p_executable")
  command -v -- "$p_executable" >/dev/null 2>&1 || rt_fail "there is no pip $p_executable"
  python=''
  pip() { "$p_executable" "$@"; }
elif "$python" -m pip --version >/dev/null 2>&1; then pip() { "$python" -m pip "$@"; }
elif command -v pip3 >/dev/null 2>&1; then pip() { command pip3 "$@"; }
elif command -v pip >/dev/null 2>&1; then pip() { command pip "$@"; }
else rt_need pip3 "this host has no pip"
fi
# Python tells it ten times as fast as pip freeze, which is for a pip of which no more is known.
packages() {
  if [ -z "$python" ] || ! "$python" - 2>/dev/null; then pip freeze --all 2>/dev/null; fi <<'end' | LC_ALL=C sort
import importlib.metadata as m
for d in m.distributions():
    print(d.metadata["Name"], "==", d.version, " ", " ".join((d.read_text("direct_url.json") or "").split()), sep="")
end
}
set --
i=0
while [ "$i" -lt "$p_argc" ]; do eval "set -- \"\$@\" \"\$p_arg$i\""; i=$((i + 1)); done
verb=$1
shift
if [ "$p_check" = 1 ] && [ "$verb" = install ]; then
  report=$(pip install --dry-run --quiet --report - "$@" </dev/null 8>&-) || rt_fail "pip cannot say what it would do"
  rt_set report "$report"
  exit 0
fi
before=$(packages)
rt_set before "$before"
if [ "$p_check" = 1 ]; then exit 0; fi
pip "$verb" "$@" </dev/null 8>&-
code=$?
after=$(packages)
rt_set after "$after"
rt_set code "$code"
exit 0
`

const normalize = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-')

/** `Name==1.0` and `Name @ URL` of pip freeze: the names as PEP 503 compares them. */
function namesOf(freeze: string): readonly string[] {
  return freeze.split('\n').map(line => normalize(/^(?:-e )?([A-Za-z0-9._-]+)/.exec(line)?.[1] ?? ''))
}

function check(args: PipArgs): void {
  const refuse = (what: string, hint: string): never => {
    throw problem('E_PARAMS', `pip: ${what}`, { hint })
  }
  if (args.version !== undefined && args.name.length !== 1)
    refuse('version is for one package', 'write the versions behind the names: name==1.2')
  if (args.version !== undefined && /[=<>!~]/.test(args.name[0]!))
    refuse('there is a version in name and in version', 'leave one out')
  if (args.version !== undefined && args.state === 'latest')
    refuse('version is for state present', 'leave out version')
  const bad = args.name.find(name => name === '' || name.startsWith('-'))
  if (bad !== undefined) refuse(`${JSON.stringify(bad)} is no package`, 'give options of pip as extra_args')
}

function selectWords(args: PipArgs): readonly string[] {
  const { state } = args
  const extra = parseWords(args.extra_args)
  const from = args.requirements === undefined ? [] : ['-r', args.requirements]
  if (state === 'absent') return ['uninstall', '-y', ...extra, ...args.name, ...from]
  const names = args.name.map(name => (args.version === undefined ? name : `${name}==${args.version}`))
  return [
    'install',
    ...(state === 'latest' ? ['--upgrade'] : []),
    ...(state === 'forcereinstall' ? ['--upgrade', '--force-reinstall'] : []),
    ...(args.editable ? ['-e'] : []),
    ...extra,
    ...names,
    ...from,
  ]
}

/** Ansible's \`name\` may hold several in one text: \`a>1,<2\` is one, \`a,b\` are two. */
function splitNames(names: readonly string[]): readonly string[] {
  const parts: string[] = []
  for (const part of names) {
    const isRest = /^\s*(?:[=<>!~]=?|===)/.test(part) && parts.length > 0
    if (isRest) parts[parts.length - 1] += `,${part.trim()}`
    else parts.push(part.trim())
  }
  return parts
}

function isChanged(t: Target, args: PipArgs, values: Readonly<Record<string, string>>): boolean {
  if (values['created'] === '1') return true
  if (!t.check) return args.state === 'forcereinstall' || values['before'] !== values['after']
  if (values['report'] !== undefined)
    return (JSON.parse(values['report']) as { install: readonly unknown[] }).install.length > 0
  const there = namesOf(values['before'] ?? '')
  return (
    args.requirements !== undefined ||
    args.name.some(name => there.includes(normalize(name.replace(/[[=<>!~ ].*$/, ''))))
  )
}

export const pip = defineAction({
  name: 'pip',
  summary: 'Install or remove Python packages with pip, in a virtual environment or not.',
  notes: [
    'The target needs Python with pip: pip itself says what is to be done, also in check mode (there it has to be 22.2 or newer).',
    'It is not undone: what pip replaced may be nowhere to be had any more, and files that a package left behind it does not know. Make a second virtual environment and change a link to it.',
    'Changed means that other packages or versions are installed afterwards.',
  ],
  params,
  rules: {
    requiredOneOf: [['name', 'requirements', 'virtualenv']],
    mutuallyExclusive: [
      ['executable', 'virtualenv'],
      ['name', 'requirements'],
    ],
  },
  foresees: true,
  returns: {
    cmd: { doc: 'Words that pip got.' },
    name: { doc: 'The packages.' },
    requirements: { doc: 'The requirements file.' },
    version: { doc: 'As asked for.' },
    virtualenv: { doc: 'The virtual environment.' },
    state: { doc: 'As asked for.' },
    stdout: { doc: 'What pip printed.' },
    stderr: { doc: 'What pip said.' },
  },
  examples: `
- pip: { requirements: requirements.txt, chdir: /opt/panel, virtualenv: /opt/panel/.venv }
`,
  async run(t, given): Promise<Outcome> {
    const args = { ...given, name: splitNames(given.name) }
    check(args)
    const words = selectWords(args)
    const venv = parseWords(args.virtualenv_command ?? '')
    const isOnlyVenv = args.name.length === 0 && args.requirements === undefined
    const ran = accept(
      t,
      await t.run(pipScript, {
        ...environmentParams(t),
        break: args.break_system_packages,
        umask: args.umask ?? '',
        virtualenv: args.virtualenv ?? '',
        chdir: args.chdir ?? '',
        venvc: venv.length,
        ...listParams('venv', venv),
        python: args.virtualenv_python ?? '',
        site: args.virtualenv_site_packages,
        executable: args.executable ?? '',
        check: t.check,
        ...argvParams(isOnlyVenv ? ['check'] : words),
      }),
    )
    const stderr = ran.stderr.toString().trim()
    const values = {
      cmd: ['pip', ...words],
      name: args.name.length > 0 ? args.name : null,
      requirements: args.requirements ?? null,
      version: args.version ?? null,
      virtualenv: args.virtualenv ?? null,
      state: args.state,
      stdout: ran.stdout.toString(),
      stderr,
    }
    const changed = isChanged(t, args, ran.values)
    if (isOnlyVenv || (ran.values['code'] ?? '0') === '0') return { changed, values }
    return { changed, failed: true, msg: `pip: ${t.redactor.clean(stderr.split('\n').at(-1) ?? '')}`, values }
  },
})
