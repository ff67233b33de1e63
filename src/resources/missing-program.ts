/**
 * The packages of Debian, of Fedora and RHEL, and of Alpine that hold a program, where they have another name than the program.
 * Fewer than three: the last counts for the others.
 */
const packages: Readonly<Record<string, readonly string[]>> = {
  crontab: ['cron', 'cronie', 'dcron'],
  'debconf-communicate': ['debconf'],
  docker: ['docker.io', 'docker-ce', 'docker-cli'],
  'dpkg-deb': ['dpkg'],
  gpg: ['gnupg', 'gnupg2', 'gnupg'],
  ip6tables: ['iptables', 'iptables', 'ip6tables'],
  lsattr: ['e2fsprogs', 'e2fsprogs', 'e2fsprogs-extra'],
  pg_dump: ['postgresql-client', 'postgresql'],
  pg_restore: ['postgresql-client', 'postgresql'],
  pip3: ['python3-pip', 'python3-pip', 'py3-pip'],
  psql: ['postgresql-client', 'postgresql', 'postgresql-client'],
  'redis-cli': ['redis-tools', 'redis', 'redis'],
  script: ['bsdutils', 'util-linux', 'util-linux-misc'],
  setsid: ['util-linux', 'util-linux', 'setsid'],
  'ssh-keygen': ['openssh-client', 'openssh', 'openssh-keygen'],
  useradd: ['passwd', 'shadow-utils', 'shadow'],
  usermod: ['passwd', 'shadow-utils', 'shadow'],
  virtualenv: ['python3-virtualenv', 'python3-virtualenv', 'py3-virtualenv'],
  xz: ['xz-utils', 'xz', 'xz'],
}
const managers: Readonly<Record<string, readonly [verb: string, family: number]>> = {
  'apt-get': ['apt-get install', 0],
  dnf: ['dnf install', 1],
  apk: ['apk add', 2],
  yum: ['yum install', 1],
}

/** What to type on a host that lacks a program: for its package manager, or for each of the usual when that is not known. */
export function renderInstallHint(program: string, manager = ''): string {
  const name = program.replace(/.*\//, '')
  const held = packages[name] ?? [name]
  const known = managers[manager] ? [manager] : ['apt-get', 'dnf', 'apk']
  const commands = known.map(one => {
    const [verb, family] = managers[one]!
    return `${verb} ${held[family] ?? held.at(-1)}`
  })
  return `on the host: ${commands.join(', or ')}`
}

/** `sh: 1: useradd: not found`, `bash: line 1: useradd: command not found`: what shells say of a program that is not there. */
const NOT_FOUND = /(?:^|: )([\w.+-]+): (?:command )?not found$/m

/** The hint for a script that ended because the host lacks a program; undefined when it did not. */
export function findInstallHint(
  { lacks }: Readonly<Record<string, string>>,
  said: string,
): string | undefined {
  const [program, manager] = lacks?.split(' ') ?? [NOT_FOUND.exec(said)?.[1]]
  return program === undefined ? undefined : renderInstallHint(program, manager)
}
