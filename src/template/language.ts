import { filterMap, type Language, testMap } from './compile/language.ts'
import { jsonFilters } from './filters/json.ts'
import { listFilters } from './filters/list.ts'
import { numberFilters } from './filters/number.ts'
import { selectFilters } from './filters/select.ts'
import { textFilters } from './filters/text.ts'
import { timeFilters } from './filters/time.ts'
import { globals } from './globals.ts'
import { jinjaTests } from './tests/jinja.ts'

/** All words of the language. */
export const language: Language = {
  filters: filterMap(textFilters, numberFilters, listFilters, selectFilters, jsonFilters, timeFilters),
  tests: testMap(jinjaTests),
  globals,
}
