import { filterMap, type Language, testMap } from './compile/language.ts'
import { combineFilters } from './filters/combine.ts'
import { commentFilters } from './filters/comment.ts'
import { ipaddrFilters } from './filters/ipaddr.ts'
import { jmespathFilters } from './filters/jmespath.ts'
import { jsonFilters } from './filters/json.ts'
import { listFilters } from './filters/list.ts'
import { mathFilters } from './filters/math.ts'
import { numberFilters } from './filters/number.ts'
import { pathFilters } from './filters/path.ts'
import { pprintFilters } from './filters/pprint.ts'
import { randomFilters } from './filters/random.ts'
import { regexFilters, regexTests } from './filters/regex.ts'
import { selectFilters } from './filters/select.ts'
import { setFilters } from './filters/sets.ts'
import { textFilters } from './filters/text.ts'
import { timeFilters } from './filters/time.ts'
import { urlFilters } from './filters/url.ts'
import { valueFilters } from './filters/value.ts'
import { vaultFilters } from './filters/vault.ts'
import { yamlFilters } from './filters/yaml.ts'
import { globals } from './globals.ts'
import { ansibleTests } from './tests/ansible.ts'
import { fileTests } from './tests/files.ts'
import { jinjaTests } from './tests/jinja.ts'

/** All words of the language. */
export const language: Language = {
  filters: filterMap(
    textFilters,
    numberFilters,
    listFilters,
    selectFilters,
    jsonFilters,
    timeFilters,
    regexFilters,
    combineFilters,
    setFilters,
    valueFilters,
    mathFilters,
    pathFilters,
    randomFilters,
    commentFilters,
    urlFilters,
    yamlFilters,
    jmespathFilters,
    ipaddrFilters,
    pprintFilters,
    vaultFilters,
  ),
  tests: testMap(jinjaTests, ansibleTests, regexTests, fileTests),
  globals,
}
