package atrest

import (
	"bytes"
	"testing"
)

func TestOnlyTheSameKeyReadsTheSameThing(t *testing.T) {
	t.Parallel()
	key, err := New(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	kept := key.Encrypt("a", []byte("secret"))
	if bytes.Contains(kept, []byte("secret")) || bytes.Equal(kept, key.Encrypt("a", []byte("secret"))) {
		t.Error("what is kept shows what it is")
	}
	if clear, err := key.Decrypt("a", kept); err != nil || string(clear) != "secret" {
		t.Errorf("Decrypt() = %q, %v", clear, err)
	}
	changed := bytes.Clone(kept)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another key":   func() ([]byte, error) { return other.Decrypt("a", kept) },
		"another thing": func() ([]byte, error) { return key.Decrypt("b", kept) },
		"changed":       func() ([]byte, error) { return key.Decrypt("a", changed) },
		"cut":           func() ([]byte, error) { return key.Decrypt("a", kept[:3]) },
		"empty":         func() ([]byte, error) { return key.Decrypt("a", nil) },
		"of a version":  func() ([]byte, error) { return key.Decrypt("a", append([]byte{9}, kept[1:]...)) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s reads it", name)
		}
	}
}
