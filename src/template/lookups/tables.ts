import { type IniEntry, parseIni } from '../../core/python-ini.ts'
import { readText } from '../compile/loader.ts'
import type { Runtime } from '../compile/runtime.ts'
import { runtimeFault } from '../fault.ts'
import type { Py } from '../python/kinds.ts'
import { Pattern } from '../python/regex.ts'
import type { Args } from '../python/signature.ts'
import { needFile } from './files.ts'
import { type LookupSet, splitTerm, termText } from './lookup.ts'

/** The rows of a CSV text (RFC 4180): quoted fields may hold the delimiter, newlines and doubled quotes. */
function parseCsv(text: string, delimiter: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let field = ''
  let isQuoted = false
  const endField = (): void => {
    row.push(field)
    field = ''
  }
  const endRow = (): void => {
    endField()
    if (row.length > 1 || row[0] !== '') rows.push(row)
    row = []
  }
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (isQuoted && char === '"' && text[i + 1] === '"') field += text[i++]
    else if (char === '"') isQuoted = !isQuoted
    else if (isQuoted || (char !== delimiter && char !== '\n' && char !== '\r')) field += char
    else if (char === delimiter) endField()
    else if (char === '\n') endRow()
  }
  endRow()
  return rows
}
const csvOptions = ['file', 'delimiter', 'col', 'keycol', 'default', 'encoding']
function csvValue(term: Py, given: Args, { session }: Runtime): readonly Py[] {
  const { name, options } = splitTerm(termText(term), given, csvOptions, true)
  if (name === '') throw runtimeFault('Search key is required but was not found')
  const wanted = options.text('delimiter')
  const rows = parseCsv(
    readText(session, needFile(session, 'files', options.text('file'))),
    wanted === 'TAB' ? '\t' : wanted,
  )
  const row = rows.find(fields => fields[Number(options.text('keycol'))] === name)
  const value = row?.[Number(options.text('col'))]
  if (value !== undefined) return [value]
  return options.has('default') ? [options.value('default')] : []
}

const iniOptions = [
  'type',
  'file',
  'section',
  're',
  'default',
  'encoding',
  'case_sensitive',
  'allow_no_value',
  'allow_none',
]
const valuesOf = ({ value }: IniEntry): string[] => (value === undefined ? [] : [value])
const isYes = (options: Args, name: string): boolean => /^(true|yes|on|1)$/i.test(options.text(name))
function iniValue(term: Py, given: Args, { session }: Runtime): readonly Py[] {
  const { name, options } = splitTerm(termText(term), given, iniOptions, true)
  if (name === '')
    throw runtimeFault(
      `No key to lookup was provided as first term with in string inline options: ${termText(term)}`,
    )
  const isProperties = options.text('type') === 'properties'
  const file = options.text('file')
  const text = readText(session, needFile(session, 'files', file), options.text('encoding'))
  const isCaseSensitive = isYes(options, 'case_sensitive')
  const fold = (key: string): string => (isCaseSensitive ? key : key.toLowerCase())
  const section = isProperties ? 'java_properties' : options.text('section')
  const parsed = parseIni(
    isProperties ? `[${section}]\n${text}` : text,
    { allowNoValue: isYes(options, 'allow_no_value') || isYes(options, 'allow_none'), isCaseSensitive },
    (why, line) => {
      throw runtimeFault(`${file}, line ${isProperties ? line - 1 : line}: ${why}`)
    },
  )
  if (options.text('default') === '' && !parsed.sections.has(section))
    throw runtimeFault(`No section: '${section}'`)
  const entries = parsed.entries.filter(entry => entry.section === section)
  if (isYes(options, 're')) {
    const pattern = new Pattern(name, { ignoreCase: !isCaseSensitive, type: 'match' })
    return entries.filter(entry => pattern.first(entry.key) !== null).flatMap(valuesOf)
  }
  const found = entries.find(entry => fold(entry.key) === fold(name))
  if (found) return valuesOf(found)
  return options.text('default') === '' ? [] : [options.value('default')]
}

/** Lookups in files of tables and settings. */
export const tableLookups: LookupSet = {
  csvfile: {
    takes: "file='ansible.csv', delimiter='TAB', col='1', keycol='0', default=null, encoding='utf-8'",
    run: (terms, options, runtime) => terms.flatMap(term => csvValue(term, options, runtime)),
  },
  ini: {
    takes:
      "type='ini', file='ansible.ini', section='global', re=false, default='', encoding='utf-8', case_sensitive=false, allow_no_value=false, allow_none=false",
    run: (terms, options, runtime) => terms.flatMap(term => iniValue(term, options, runtime)),
  },
}
