// Package builtin holds the modules that customers' code imports by name without
// bringing them: crypto, lodash 4.17.21 and uuid 9.0.1. The bundler puts them into
// the bundle of whoever imports them. Licences: LICENSES.md.
//
// crypto is ours and runs in the sandbox of weir/dataplane/transform/engine alone,
// which gives modules its functions under the name $weir.
package builtin

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed crypto.js
var cryptoCode string

//go:embed lodash.js
var lodashCode string

//go:embed lodash.txt
var lodashNames string

//go:embed uuid.js
var uuidCode string

// Names are the modules that can be imported. Functions of lodash can be, too, as
// lodash/NAME, and crypto as node:crypto.
func Names() []string { return []string{"crypto", "lodash", "uuid"} }

// Source returns the code of a module, and false for what is none.
func Source(path string) (code string, ok bool) {
	name, function, one := strings.Cut(strings.TrimSuffix(path, ".js"), "/")
	switch {
	case one && name == "lodash" && slices.Contains(strings.Fields(lodashNames), function):
		return `import lodash from "lodash"; export default lodash.` + function + `;`, true
	case one:
		return "", false
	}
	switch path {
	case "crypto", "node:crypto":
		return cryptoCode, true
	case "lodash":
		return lodashCode, true
	case "uuid":
		return uuidCode, true
	}
	return "", false
}
