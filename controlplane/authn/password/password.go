// Package password hashes passwords with Argon2id as PHC strings, and bounds how many are
// hashed at once.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of one Argon2id hash: 19 MiB, two passes, one lane.
// Source: OWASP Password Storage Cheat Sheet, section Argon2id.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltLength  = 16 // bytes
	keyLength   = 32 // bytes
)

// Bounds of a stored hash's cost, so that a damaged row cannot take the memory
// of the process.
const (
	mostMemory = 256 * 1024 // KiB
	mostPasses = 16
)

// Hash returns password as a PHC string.
func Hash(password string) string {
	var salt [saltLength]byte
	_, _ = rand.Read(salt[:]) // never fails: crypto/rand ends the process instead
	key := argon2.IDKey([]byte(password), salt[:], argonPasses, argonMemory, argonLanes, keyLength)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt[:]), base64.RawStdEncoding.EncodeToString(key))
}

// Same reports whether hash was made from password. A hash that cannot
// be read matches nothing.
func Same(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false
	}
	var version, memory, passes, lanes uint32
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false
	}
	if memory > mostMemory || passes == 0 || passes > mostPasses || lanes == 0 || lanes > 16 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) != keyLength {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, uint8(lanes), keyLength)
	return subtle.ConstantTimeCompare(got, want) == 1
}
