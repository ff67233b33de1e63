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

interface IniEntry {
  readonly section: string
  readonly key: string
  /** undefined: the key stands alone. */
  readonly value: string | undefined
}
/** The entries of an INI or properties text. A line that is indented continues the value before it. */
function parseIni(text: string, isProperties: boolean, allowNoValue: boolean): IniEntry[] {
  const entries: { section: string; key: string; value: string | undefined }[] = []
  let section = isProperties ? 'java_properties' : ''
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    const header = /^\[(.+)\]$/.exec(line)
    const last = entries.at(-1)
    if (line === '' || /^[#;]/.test(line)) continue
    if (!isProperties && header) section = header[1]!
    else if (/^\s/.test(raw) && last?.section === section) last.value = `${last.value ?? ''}\n${line}`
    else {
      const pair = /^([^=:]+?)\s*(?:[=:]\s*(.*))?$/.exec(line)
      if (!pair || (pair[2] === undefined && !allowNoValue))
        throw runtimeFault(`line ${index + 1} of the ini file is no entry`)
      entries.push({ section, key: pair[1]!, value: pair[2] })
    }
  }
  return entries
}
function hasSection(text: string, section: string): boolean {
  return text.split(/\r?\n/).some(line => line.trim() === `[${section}]`)
}

/** As Python's ConfigParser: a section has a key once. */
function refuseDuplicates(entries: readonly IniEntry[], fold: (key: string) => string): readonly IniEntry[] {
  const seen = new Set<string>()
  for (const { section, key } of entries) {
    const name = `${section}\0${fold(key)}`
    if (seen.has(name)) throw runtimeFault(`Duplicate option in the ini file: ${key} in section ${section}`)
    seen.add(name)
  }
  return entries
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
  const text = readText(session, needFile(session, 'files', options.text('file')), options.text('encoding'))
  const allowNoValue = isYes(options, 'allow_no_value') || isYes(options, 'allow_none')
  const fold = (key: string): string => (isYes(options, 'case_sensitive') ? key : key.toLowerCase())
  const section = isProperties ? 'java_properties' : options.text('section')
  const parsed = parseIni(text, isProperties, allowNoValue)
  if (!isProperties && options.text('default') === '' && !hasSection(text, section))
    throw runtimeFault(`No section: '${section}'`)
  const entries = (isProperties ? parsed : refuseDuplicates(parsed, fold)).filter(
    entry => entry.section === section,
  )
  if (isYes(options, 're')) {
    const pattern = new Pattern(name, { ignoreCase: !isYes(options, 'case_sensitive'), type: 'match' })
    return entries.filter(entry => pattern.first(entry.key) !== null).flatMap(valuesOf)
  }
  const found = entries.findLast(entry => fold(entry.key) === fold(name))
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
