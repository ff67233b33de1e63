import { defineAction } from '../core/module.ts'
import { joinScripts, sh } from '../core/script.ts'
import { Float } from '../core/value.ts'
import { accept, parsePath } from '../resources/file.ts'
import { pathScript } from '../resources/path-script.ts'

const params = {
  path: { type: 'path', required: true, aliases: ['dest', 'name'], doc: 'The file, folder or link.' },
  follow: { type: 'bool', default: false, doc: 'When `path` is a link, tell of what it leads to.' },
  get_checksum: { type: 'bool', default: true, doc: 'Whether to read a file for its checksum.' },
  checksum_algorithm: {
    type: 'string',
    choices: ['sha1', 'md5', 'sha224', 'sha256', 'sha384', 'sha512'],
    default: 'sha1',
    aliases: ['checksum', 'checksum_algo'],
    doc: 'How the checksum is made.',
  },
  get_mime: {
    type: 'bool',
    default: true,
    aliases: ['mime', 'mime_type', 'mime-type'],
    doc: 'Ask `file`, where the host has it.',
  },
  get_attributes: {
    type: 'bool',
    default: true,
    aliases: ['attr', 'attributes'],
    doc: 'Ask `lsattr`, where the host has it.',
  },
} as const

const statScript = joinScripts(
  pathScript,
  sh`
expand "$p_path"
path=$expanded
follow=
if [ "$p_follow" = 1 ]; then follow=-L; fi
if ! now=$(stat \${follow:+-L} -c '%f|%u|%g|%s|%d|%i|%h|%.9X|%.9Y|%.9Z|%b|%o|%t|%T|%U|%G' -- "$path" 2>/dev/null); then
  if [ -e "$path" ]; then rt_fail "cannot stat $p_path"; fi
  up=\${path%/*}
  while [ -n "$up" ] && ! [ -e "$up" ]; do up=\${up%/*}; done
  if [ -d "\${up:-/}" ] && ! [ -x "\${up:-/}" ]; then rt_fail "Permission denied: $p_path"; fi
  exit 0
fi
rt_set stat "$now"
rt_set path "$path"
if [ -r "$path" ]; then rt_set readable 1; fi
if [ -w "$path" ]; then rt_set writeable 1; fi
if [ -x "$path" ]; then rt_set executable 1; fi
if [ -z "$follow" ] && [ -L "$path" ]; then
  rt_set target "$(readlink -- "$path")"
  rt_set source "$(readlink -f -- "$path")"
fi
case $now in
  8*)
    if [ "$p_get_checksum" = 1 ] && [ -r "$path" ]; then
      sum=$("\${p_algorithm}sum" <"$path") || rt_fail "this host cannot make a $p_algorithm checksum"
      rt_set checksum "\${sum%% *}"
    fi ;;
esac
if [ "$p_get_mime" = 1 ] && command -v file >/dev/null 2>&1; then
  rt_set mime "$(file -b --mime-type --mime-encoding -- "$path" 2>/dev/null)"
fi
case $now in
  8*|4*)
    if [ "$p_get_attributes" = 1 ] && command -v lsattr >/dev/null 2>&1; then
      rt_set attributes "$(lsattr -vd -- "$path" 2>/dev/null)"
    fi ;;
esac
`,
)

const letters: readonly (readonly [string, string])[] = [
  ['A', 'noatime'],
  ['a', 'append'],
  ['c', 'compressed'],
  ['C', 'nocow'],
  ['d', 'nodump'],
  ['D', 'dirsync'],
  ['e', 'extents'],
  ['E', 'encrypted'],
  ['h', 'blocksize'],
  ['i', 'immutable'],
  ['I', 'indexed'],
  ['j', 'journalled'],
  ['N', 'inline'],
  ['s', 'zero'],
  ['S', 'synchronous'],
  ['t', 'notail'],
  ['T', 'blockroot'],
  ['u', 'undelete'],
  ['X', 'compressedraw'],
  ['Z', 'compresseddirty'],
]

type Values = Readonly<Record<string, string>>

/** The permissions of a mode, one by one. */
function permissionsOf(mode: number) {
  const has = (bit: number): boolean => (mode & bit) !== 0
  return {
    mode: (mode & 0o7777).toString(8).padStart(4, '0'),
    rusr: has(0o400),
    wusr: has(0o200),
    xusr: has(0o100),
    rgrp: has(0o040),
    wgrp: has(0o020),
    xgrp: has(0o010),
    roth: has(0o004),
    woth: has(0o002),
    xoth: has(0o001),
    isuid: has(0o4000),
    isgid: has(0o2000),
  }
}

function kindOf(raw: number) {
  const kind = raw >> 12
  return {
    isdir: kind === 4,
    isreg: kind === 8,
    islnk: kind === 10,
    isfifo: kind === 1,
    ischr: kind === 2,
    isblk: kind === 6,
    issock: kind === 12,
  }
}

function nameOf(name: string | undefined): string | undefined {
  return name === 'UNKNOWN' || name === undefined || /^\d+$/.test(name) ? undefined : name
}

/** `stat.*` of what exists, from the values that the script set. */
export function parseStat(line: string, values: Values): Record<string, unknown> {
  const [hex = '', ...rest] = line.split('|')
  const [uid, gid, size, dev, inode, nlink, atime, mtime, ctime, blocks, blockSize] = rest.map(Number)
  const raw = Number.parseInt(hex, 16)
  const deviceType = [rest[11], rest[12]].map(part => Number.parseInt(part ?? '0', 16))
  return {
    exists: true,
    ...permissionsOf(raw),
    ...kindOf(raw),
    uid,
    gid,
    size,
    dev,
    inode,
    nlink,
    atime: new Float(atime ?? 0),
    mtime: new Float(mtime ?? 0),
    ctime: new Float(ctime ?? 0),
    blocks,
    block_size: blockSize,
    device_type: deviceType[0]! * 256 + deviceType[1]!,
    pw_name: nameOf(rest[13]),
    gr_name: nameOf(rest[14]),
    readable: values['readable'] === '1',
    writeable: values['writeable'] === '1',
    executable: values['executable'] === '1',
  }
}

function extras(values: Values): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  if (values['target'] !== undefined) {
    found['lnk_target'] = values['target']
    found['lnk_source'] = values['source']
  }
  if (values['checksum'] !== undefined) found['checksum'] = values['checksum']
  const [type, charset] = /^(\S+); charset=(\S+)$/.exec(values['mime'] ?? '')?.slice(1) ?? []
  return {
    ...found,
    mimetype: type ?? 'unknown',
    charset: charset ?? 'unknown',
    ...parseAttributes(values['attributes']),
  }
}

/** A line of `lsattr -vd`: version, flags, path. */
function parseAttributes(line: string | undefined): Record<string, unknown> {
  const [version, flags] = line?.trim().split(/\s+/) ?? []
  if (version === undefined || flags === undefined) return { attr_flags: '', attributes: [], version: null }
  const set = flags.replaceAll('-', '')
  const names = letters.filter(([letter]) => set.includes(letter)).map(([, name]) => name)
  return { attr_flags: set, attributes: names, version }
}

export const stat = defineAction({
  name: 'stat',
  summary: 'Tell what a path is: kind, size, owner, permissions, times, checksum.',
  notes: [
    'Times have fractions where the host’s `stat` tells them (GNU). `mimetype` and `charset` are `unknown` where the host has no `file`.',
  ],
  params,
  reads: true,
  returns: {
    stat: {
      doc: 'Dict: exists; and if so path, mode, isdir, isreg, islnk, isblk, ischr, isfifo, issock, uid, gid, pw_name, gr_name, size, blocks, block_size, device_type, dev, inode, nlink, atime, mtime, ctime, rusr … xoth, isuid, isgid, readable, writeable, executable, checksum, mimetype, charset, attributes, attr_flags, version; of a link lnk_source and lnk_target.',
    },
  },
  examples: `
- stat: { path: /etc/panel/.env }
  register: env
- fail: { msg: No env file }
  when: not env.stat.exists
`,
  async run(t, args) {
    const ran = accept(
      t,
      await t.run(statScript, {
        path: parsePath(args.path),
        follow: args.follow,
        get_checksum: args.get_checksum,
        algorithm: args.checksum_algorithm,
        get_mime: args.get_mime,
        get_attributes: args.get_attributes,
      }),
    )
    const { values } = ran
    const line = values['stat']
    if (line === undefined) return { changed: false, values: { stat: { exists: false } } }
    const path = values['path']?.replace(/^\.\//, '')
    const found = { path, ...parseStat(line, values), ...extras(values) }
    return { changed: false, values: { stat: found } }
  },
})
