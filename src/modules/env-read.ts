import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { readFile } from '../resources/file.ts'
import { dialects } from './env/dialects.ts'
import { makeKnown, secretsOf } from './env/secrets.ts'

const params = {
  path: { type: 'path', required: true, aliases: ['src', 'name'], doc: 'The env file. A link is followed.' },
  names: { type: 'list', doc: 'The names to read; each has to be there. Default: all.' },
  dialect: {
    type: 'string',
    choices: dialects,
    default: 'compose',
    doc: 'The program that the file is for.',
  },
} as const

export const env_read = defineAction({
  name: 'env_read',
  summary: 'Read the variables of an env file as secrets, as the program that reads it gets them.',
  notes: [
    'The values are taken out of all output from then on (single words of small letters and numbers are not).',
    'A value that depends on more than the file is refused, unless `names` leaves it out.',
  ],
  params,
  reads: true,
  returns: {
    env: { doc: 'Dict of name to value; each value is a secret.' },
    path: { doc: 'The file.' },
  },
  examples: `
- name: The values in force
  env_read: { path: /opt/proxpanel/.env.production }
  register: old
`,
  async run(t, { path, names, dialect }) {
    const file = await readFile(t, path, { follow: true, content: 'secret' })
    if (file.kind !== 'file')
      throw problem(
        'E_TASK',
        file.kind === 'absent' ? `${path} does not exist` : `${path} is a ${file.kind}`,
        {
          hint: 'check the path of the env file; become: true reads files of root',
        },
      )
    const all = secretsOf(file, dialect)
    makeKnown(t.redactor, all)
    const missing = names?.filter(name => !all.some(one => one.name === name)) ?? []
    if (missing.length > 0)
      throw problem('E_ENV_FILE', `${path} does not define ${missing.join(', ')}`, {
        hint: `it defines ${all.map(one => one.name).join(', ')}`,
      })
    const wanted = names === undefined ? all : all.filter(one => names.includes(one.name))
    const open = wanted.find(one => one.value === undefined)
    if (open !== undefined)
      throw problem('E_ENV_FILE', `${path}: the value of ${open.name} is not known: ${open.why}`, {
        hint: 'name the variables to read in names, without this one',
      })
    return {
      changed: false,
      values: { path: file.path, env: Object.fromEntries(wanted.map(one => [one.name, one.value])) },
    }
  },
})
