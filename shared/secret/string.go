package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// stars is what a secret looks like to everyone who does not call Reveal.
const stars = "***"

// String is a secret in clear. It prints as *** with every verb of fmt, in
// JSON, as text and in slog; Reveal gives the value. The zero String is empty.
//
// The value is behind a pointer because fmt does not call methods of unexported
// fields: a String inside somebody's struct then prints as an address.
type String struct{ value *string }

// NewString wraps a secret.
func NewString(clear string) String { return String{value: &clear} }

// Reveal returns the secret itself. It belongs into a request's credentials and
// nowhere else.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns ***.
func (s String) String() string { return stars }

// GoString returns ***.
func (s String) GoString() string { return stars }

// Format writes *** for every verb.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalText returns ***, also for JSON and YAML.
func (s String) MarshalText() ([]byte, error) { return []byte(stars), nil }

// LogValue returns ***.
func (s String) LogValue() slog.Value { return slog.StringValue(stars) }

// String returns ***.
func (k PrivateKey) String() string { return stars }

// GoString returns ***.
func (k PrivateKey) GoString() string { return stars }

// Format writes *** for every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// MarshalText returns ***, also for JSON and YAML.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(stars), nil }

// LogValue returns ***.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(stars) }
