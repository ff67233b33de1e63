import type { Raw } from './distribution.ts'

type Facts = Record<string, unknown>

/** `Linux vm 6.1.0 x86_64`: uname's words. A node's name has no blanks. */
export function parseNames(raw: Raw): {
  readonly system: string
  readonly node: string
  readonly kernel: string
  readonly machine: string
} {
  const [system = '', node = '', kernel = '', machine = ''] = (raw['names'] ?? '').trim().split(/\s+/)
  return { system, node, kernel, machine }
}

export function renderPlatform(raw: Raw): Facts {
  const { system, node, kernel, machine } = parseNames(raw)
  const fqdn = raw['fqdn']?.trim() || node
  const architecture = /^i[3-6]86$/.test(machine) ? 'i386' : machine
  const bits = raw['bits']?.trim() || (/64|s390x/.test(machine) ? '64' : '32')
  return {
    system,
    kernel,
    kernel_version: raw['kernel_version'] ?? '',
    machine,
    architecture,
    nodename: node,
    hostname: node.split('.')[0],
    fqdn,
    domain: fqdn.split('.').slice(1).join('.'),
    userspace_bits: bits,
    userspace_architecture: bits === '32' && architecture === 'x86_64' ? 'i386' : architecture,
    ...(raw['machine_id'] ? { machine_id: raw['machine_id'].trim() } : {}),
  }
}

export function renderUser(raw: Raw): Facts {
  const [user, , uid, gid, gecos, dir, shell] = (raw['passwd'] ?? '').trim().split(':')
  const [euid, egid, ruid, rgid] = (raw['ids'] ?? '').split(' ').map(Number)
  return {
    user_id: user || raw['user'],
    user_uid: uid ? Number(uid) : euid,
    user_gid: gid ? Number(gid) : egid,
    user_gecos: gecos ?? '',
    user_dir: dir ?? '',
    user_shell: shell ?? '',
    real_user_id: ruid,
    effective_user_id: euid,
    real_group_id: rgid,
    effective_group_id: egid,
  }
}

/** Lines `NAME=value`; `\x01` stands for a line's end within a value. */
export function renderEnv(raw: Raw, environment: Readonly<Record<string, unknown>>): Facts {
  const lines = (raw['environ'] ?? '').split('\n').filter(line => line.includes('='))
  const env = lines.map(line => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1).replaceAll('\x01', '\n')] as const
  })
  return { env: { ...Object.fromEntries(env), ...environment } }
}

export function renderDateTime(raw: Raw): Facts {
  const [year, month, day, hour, minute, second, epoch, offset, weekdayNumber, week, weekday, zone] = (
    raw['date'] ?? ''
  ).split(' ')
  const utc = (raw['utc'] ?? '').trim()
  // busybox has no nanoseconds.
  const micro = /^\d{6,9}$/.test(raw['nano'] ?? '') ? raw['nano']!.slice(0, 6) : '000000'
  const basic = `${year}${month}${day}T${hour}${minute}${second}`
  return {
    date_time: {
      year,
      month,
      day,
      hour,
      minute,
      second,
      weekday,
      weekday_number: weekdayNumber,
      weeknumber: week,
      date: `${year}-${month}-${day}`,
      time: `${hour}:${minute}:${second}`,
      epoch,
      epoch_int: epoch,
      iso8601: `${utc}Z`,
      iso8601_micro: `${utc}.${micro}Z`,
      iso8601_basic: `${basic}${micro}`,
      iso8601_basic_short: basic,
      tz: zone,
      tz_dst: zone,
      tz_offset: offset,
    },
  }
}

/** The Python of the host, for playbooks that ask; rota itself needs none. */
export function renderPython(raw: Raw): Facts {
  const [executable, type, ssl, major, minor, micro, releaselevel, serial] = (raw['python'] ?? '')
    .trim()
    .split(' ')
  if (!executable || serial === undefined) return {}
  const numbers = [major, minor, micro].map(Number)
  return {
    python_version: numbers.join('.'),
    python: {
      executable,
      type,
      has_sslcontext: ssl === '1',
      version: {
        major: numbers[0],
        minor: numbers[1],
        micro: numbers[2],
        releaselevel,
        serial: Number(serial),
      },
      version_info: [...numbers, releaselevel, Number(serial)],
    },
  }
}

export function renderSelinux(raw: Raw): Facts {
  const mode = (raw['selinux_mode'] ?? '').trim().toLowerCase()
  if (mode === '' || mode === 'disabled')
    return { selinux: { status: 'disabled' }, selinux_python_present: true }
  const config = raw['selinux_config'] ?? ''
  const find = (name: string): string => new RegExp(`^\\s*${name}=(\\S+)`, 'm').exec(config)?.[1] ?? 'unknown'
  return {
    selinux: {
      status: 'enabled',
      mode,
      config_mode: find('SELINUX'),
      type: find('SELINUXTYPE'),
      policyvers: Number(raw['selinux_policy'] ?? 0) || 'unknown',
    },
    selinux_python_present: true,
  }
}

/** `a b=1` as a dict; with `proc_cmdline` a word that comes again makes a list. */
export function renderCmdline(raw: Raw): Facts {
  const plain = new Map<string, string | boolean>()
  const all = new Map<string, unknown>()
  for (const word of (raw['cmdline'] ?? '').match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    const at = word.indexOf('=')
    const name = at < 0 ? word : word.slice(0, at)
    const value = at < 0 ? true : word.slice(at + 1).replace(/^"(.*)"$/, '$1')
    plain.set(name, value)
    all.set(name, all.has(name) ? [all.get(name), value].flat() : value)
  }
  return { cmdline: plain, proc_cmdline: all }
}

export function renderDns(raw: Raw): Facts {
  const dns: Record<string, unknown> = {}
  for (const line of (raw['resolv'] ?? '').split('\n')) {
    const [key, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (words.length === 0) continue
    if (key === 'nameserver') dns['nameservers'] = [...((dns['nameservers'] as string[]) ?? []), ...words]
    else if (key === 'domain') dns['domain'] = words[0]
    else if (key === 'search' || key === 'sortlist') dns[key] = words
    else if (key === 'options')
      dns['options'] = Object.fromEntries(
        words.map(word => word.split(':')).map(([name, value]) => [name, value ?? true]),
      )
  }
  return { dns }
}

export function renderSmall(raw: Raw, wants: (collector: string) => boolean): Facts {
  const facts: Facts = {}
  if (wants('fips')) facts['fips'] = (raw['fips'] ?? '').trim() === '1'
  if (wants('apparmor')) facts['apparmor'] = { status: raw['apparmor'] === '1' ? 'enabled' : 'disabled' }
  if (wants('loadavg') && raw['loadavg']) {
    const [one, five, fifteen] = raw['loadavg'].split(' ').map(Number)
    facts['loadavg'] = { '1m': one, '5m': five, '15m': fifteen }
  }
  for (const [name, text] of Object.entries(raw)) {
    if (!name.startsWith('ssh_key_')) continue
    const [type, key] = text.trim().split(/\s+/)
    facts[`ssh_host_key_${name.slice('ssh_key_'.length)}_public`] = key
    facts[`ssh_host_key_${name.slice('ssh_key_'.length)}_public_keytype`] = type
  }
  return facts
}
