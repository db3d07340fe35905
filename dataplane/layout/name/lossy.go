package name

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gosimple/unidecode"
	"golang.org/x/text/unicode/norm"
)

// tailDigits is how many hexadecimal digits of a name's sum tell it from others.
const tailDigits = 8

// own is a name for s alone, of a stem that people can read and the sum of what s
// is; cased is s in its casing.
func (r *Rules) own(s, cased string, c Casing) string {
	stem := cased
	if !ascii(s) {
		stem = clean(unidecode.Unidecode(norm.NFKC.String(s)), c.DivideNumbers)
	}
	sum := sha256.Sum256([]byte(identity(s, cased)))
	return r.Fold(r.Tailed(stem, "_"+hex.EncodeToString(sum[:])[:tailDigits]))
}

// identity is what two spellings of one name have in common: those that differ in
// case, and in what stands between words, are one name.
func identity(s, cased string) string {
	if ascii(s) {
		return cased
	}
	words := strings.FieldsFunc(strings.ToLower(norm.NFKC.String(s)), func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) })
	return strings.Join(words, "_")
}

// drops says whether a name has letters or digits that the casing drops, and
// whether any of them is of another script than Latin.
func drops(s string) (any, foreign bool) {
	for _, r := range s {
		if r >= utf8.RuneSelf && unicode.In(r, unicode.L, unicode.N) {
			any = true
			foreign = foreign || !unicode.Is(unicode.Latin, r)
		}
	}
	return any, foreign
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
