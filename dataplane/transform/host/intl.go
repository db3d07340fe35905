package host

import (
	_ "embed"
	"fmt"
	"strconv"
	"sync"
	_ "time/tzdata" // a worker has no files

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"modernc.org/quickjs/intl"

	"modernc.org/quickjs"
)

// IntlCode is a script whose value is a function. Called with the global object and
// a function that does Collate, after RegisterIntl, it makes Intl.
//
//go:embed intl.js
var IntlCode string

// RegisterIntl gives a VM what IntlCode stands on. Dates are in UTC.
func RegisterIntl(vm *quickjs.VM) error {
	if err := intl.Register(vm, intl.TimeZone("UTC")); err != nil {
		return err
	}
	return vm.RegisterHostFunc("collate", Collate)
}

// maxCollate is how many bytes of each text are compared.
const maxCollate = 64 << 10

// collators are for use by one each.
var collators = sync.Pool{New: func() any { return collate.New(language.English) }}

// Collate is collate(a, b): -1, 0 or 1 as localeCompare of en-US has it, or a string
// that names what stands in the way.
func Collate(args []any) (any, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("collate takes 2 arguments, not %d", len(args))
	}
	a, aText := args[0].(string)
	b, bText := args[1].(string)
	if !aText || !bText {
		return nil, fmt.Errorf("collate takes strings")
	}
	if a == b {
		return 0, nil
	}
	if len(a) > maxCollate || len(b) > maxCollate {
		return fmt.Sprintf("more than %d bytes", maxCollate), nil
	}
	for _, text := range []string{a, b} {
		for _, r := range text {
			if !comparable(r) {
				return strconv.QuoteRuneToASCII(r), nil
			}
		}
	}
	c := collators.Get().(*collate.Collator)
	defer collators.Put(c)
	return c.CompareString(a, b), nil
}

// comparable reports whether the order of a character is known to be that of V8.
func comparable(r rune) bool {
	return r >= ' ' && r < 0x7f || r >= 0xC0 && r < 0x180 && r != 0xD7 && r != 0xF7
}
