package authn

import (
	"crypto/rand"
	"encoding/base32"
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// random returns n random bytes as lower-case letters and digits.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return letters.EncodeToString(b)
}
