import type { Args } from '../core/params.ts'

/** The options of the module user. */
export const userParams = {
  name: { type: 'string', required: true, aliases: ['user'], doc: 'The user.' },
  state: {
    type: 'string',
    choices: ['absent', 'present'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  uid: { type: 'int', doc: 'Its number. Default: as it is; of a new one the next that is free.' },
  local: {
    type: 'bool',
    default: false,
    doc: 'Mean the user of /etc/passwd, also where a directory service has one of that name.',
  },
  non_unique: { type: 'bool', default: false, doc: '`uid` may be that of another user too.' },
  comment: { type: 'string', doc: 'The full name or a description (GECOS).' },
  group: {
    type: 'string',
    doc: 'Its primary group, by name or number. A new user gets a group of its own name.',
  },
  groups: { type: 'list', doc: 'Its further groups; an empty list: none. With `append` these are added.' },
  append: { type: 'bool', default: false, doc: 'Keep groups that are not among `groups`.' },
  shell: { type: 'path', doc: 'Its login shell. A new user gets the default of the host.' },
  home: { type: 'path', doc: 'Its home folder. A new user gets one of its name in the folder of the host.' },
  create_home: {
    type: 'bool',
    default: true,
    aliases: ['createhome'],
    doc: 'Make the home folder when it is missing.',
  },
  move_home: { type: 'bool', default: false, doc: 'Move what is in the old home folder to the new.' },
  skeleton: { type: 'path', default: '/etc/skel', doc: 'What a new home folder is filled with.' },
  password: {
    type: 'secret',
    doc: "The password's hash as in /etc/shadow (`password_hash('sha512')`), or `*` or `!`: none.",
  },
  update_password: {
    type: 'string',
    choices: ['always', 'on_create'],
    default: 'always',
    doc: 'Whether to set the password of a user that is there already.',
  },
  password_lock: { type: 'bool', doc: 'Lock the password (`!` before the hash), or unlock it.' },
  password_expire_max: { type: 'int', doc: 'Days after which the password has to be changed.' },
  password_expire_min: { type: 'int', doc: 'Days before it may be changed again.' },
  expires: { type: 'float', doc: 'When the account ends, in seconds since 1970; below 0: never.' },
  umask: {
    type: 'mode',
    doc: 'What a new home folder does not get of 0777. Default: 022.',
  },
  generate_ssh_key: { type: 'bool', default: false, doc: 'Make an SSH key pair for it when there is none.' },
  ssh_key_file: {
    type: 'path',
    doc: 'Where the key is, relative to the home folder. Default: `.ssh/id_` and the type.',
  },
  ssh_key_type: { type: 'string', default: 'rsa', doc: 'As for `ssh-keygen -t`.' },
  ssh_key_bits: { type: 'int', default: 0, doc: 'As for `ssh-keygen -b`; 0: its default.' },
  ssh_key_comment: { type: 'string', doc: 'Stands in the public key. Default: `ansible-generated on HOST`.' },
  ssh_key_passphrase: {
    type: 'secret',
    doc: 'Encrypts the private key. It is given to the ssh-keygen of the target by its stdin.',
  },
  system: { type: 'bool', default: false, doc: 'A new one gets a number from the range of system users.' },
  remove: { type: 'bool', default: false, doc: 'With `absent`: remove its home folder too.' },
  force: { type: 'bool', default: false, doc: 'With `absent`: remove it while it is logged in too.' },
} as const
export type UserArgs = Args<typeof userParams>
