import { problem } from '../core/error.ts'
import { defineAction } from '../core/module.ts'
import { fromValue, isDict } from '../core/value.ts'

export const setStats = defineAction({
  name: 'set_stats',
  summary: 'Record values about the run itself.',
  notes: ['They are in the result of the task (`ansible_stats`), and so in the events of the run.'],
  reads: true,
  params: {
    data: { type: 'any', required: true, doc: 'The values by name.' },
    per_host: { type: 'bool', default: false, doc: 'They are about this host, not about the whole run.' },
    aggregate: {
      type: 'any',
      default: true,
      doc: 'Later values are added to earlier ones of the same name. What is neither true nor false counts as false, as in Ansible.',
    },
  },
  returns: { ansible_stats: { doc: 'Dict: data, per_host, aggregate.' } },
  examples: `
- set_stats: { data: { rotated: 4 } }
`,
  async run(_t, { data, per_host, aggregate: given }) {
    if (!isDict(data)) throw problem('E_PARAMS', "The 'data' option needs to be a dictionary/hash")
    const aggregate = /^(?:true|yes|y|on|t|1)$/i.test(String(fromValue(given)))
    const bad = [...data.keys()].find(name => !/^[A-Za-z_]\w*$/.test(String(name)))
    if (bad !== undefined)
      throw problem(
        'E_PARAMS',
        `The variable name '${String(bad)}' is not valid. Variables must start with a letter or underscore character, and contain only letters, numbers and underscores.`,
      )
    return { changed: false, values: { ansible_stats: { data, per_host, aggregate } } }
  },
})
