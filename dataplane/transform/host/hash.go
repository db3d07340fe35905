// Package host holds the functions that customers' code calls outside of the
// JavaScript engine, in Go. They get what a stranger chose and keep nothing: each
// checks what it gets, is done in some milliseconds, and gives equal answers to
// equal questions, but for those that give chance.
package host

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
)

// maxInput is how many bytes are hashed at once. crypto.js says the same to code.
const maxInput = 4 << 20

var algorithms = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

// Hash is hash(algorithm, data, dataIsBytes, key, keyIsBytes) of a module: a digest
// in hex, an HMAC when key is a string. A string of bytes has a character for each;
// another one counts as UTF-8.
func Hash(args []any) (any, error) {
	if len(args) != 5 {
		return nil, fmt.Errorf("hash takes 5 arguments, not %d", len(args))
	}
	name, _ := args[0].(string)
	algorithm, ok := algorithms[name]
	if !ok {
		return nil, fmt.Errorf("there is no algorithm %.20q", name)
	}
	data, ok := bytesOf(args[1], args[2])
	if !ok {
		return nil, fmt.Errorf("what is hashed has to be a string of at most %d bytes", maxInput)
	}
	h := algorithm()
	if args[3] != nil {
		key, ok := bytesOf(args[3], args[4])
		if !ok {
			return nil, fmt.Errorf("the key has to be a string of at most %d bytes", maxInput)
		}
		h = hmac.New(algorithm, key)
	}
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// bytesOf returns the bytes of a string.
func bytesOf(text, isBytes any) ([]byte, bool) {
	s, ok := text.(string)
	if !ok || len(s) > 2*maxInput {
		return nil, false
	}
	if isBytes != true {
		return []byte(s), len(s) <= maxInput
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, len(b) <= maxInput
}

// Random is random(n) of a module: n bytes of chance in hex.
func Random(args []any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("random takes 1 argument, not %d", len(args))
	}
	n, ok := args[0].(int)
	if !ok || n < 0 || n > 1<<16 {
		return nil, fmt.Errorf("random takes a number from 0 to %d", 1<<16)
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b), nil
}
