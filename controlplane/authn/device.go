package authn

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DeviceLifetime is how long a device is known after it last signed in.
const DeviceLifetime = 180 * 24 * time.Hour

// devices makes and knows the tokens of devices that signed in: a number of the
// device, the time, and both with the account's address under a key. A token opens
// nothing: it only says that this device has had the right password before, so that
// what strangers do from the same address does not count against it.
type devices struct{ key []byte }

func newDevices(key ed25519.PrivateKey) (devices, error) {
	derived, err := hkdf.Key(sha256.New, key.Seed(), nil, "weir device 1", sha256.Size)
	if err != nil {
		return devices{}, fmt.Errorf("derive the key of devices: %w", err)
	}
	return devices{derived}, nil
}

// token returns the token of a device on which an account signed in.
func (d devices) token(device, email string, now time.Time) string {
	text := device + "." + strconv.FormatInt(now.Unix(), 10)
	return text + "." + d.sum(text, email)
}

// known returns the device of a token that was made for the account, "" for any
// other.
func (d devices) known(token, email string, now time.Time) (device string) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 || !hmac.Equal([]byte(token[at+1:]), []byte(d.sum(token[:at], email))) {
		return ""
	}
	device, since, _ := strings.Cut(token[:at], ".")
	if seconds, err := strconv.ParseInt(since, 10, 64); err != nil || now.Sub(time.Unix(seconds, 0)) >= DeviceLifetime {
		return ""
	}
	return device
}

func (d devices) sum(text, email string) string {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(text + "\x00" + email))
	return letters.EncodeToString(mac.Sum(nil))
}
