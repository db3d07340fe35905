// Package customerio sends people, their events, devices and objects to Customer.io:
// what is sent stands in spec.yaml. Customer.io knows an event that it had before by an
// id that is a ULID, which is made here of the event's time and messageId.
package customerio

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base32"

	"weir/dataplane/destination"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind customerio.
var Kind = mapping.Define(spec, mapping.Hooks{Values: map[string]func(*destination.Item) []byte{"ulid": ulid}})

// crockford is the base 32 of ULIDs.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// ulid is a JSON text: 48 bits of the time in milliseconds, and 80 of the hash of the
// messageId. Source: https://github.com/ulid/spec
func ulid(it *destination.Item) []byte {
	at := max(it.Fields().Time().UnixMilli(), 0)
	sum := sha256.Sum256([]byte(it.Event.MessageID))
	// 26 digits are 130 bits: 16 bytes behind two bits that are zero.
	var id [17]byte
	for i := range 6 {
		id[1+i] = byte(at >> (8 * (5 - i)))
	}
	copy(id[7:], sum[:10])
	var shifted [17]byte // by 6 bits to the left: the text of 17 bytes begins with those two
	for i := range 16 {
		shifted[i] = id[i]<<6 | id[i+1]>>2
	}
	shifted[16] = id[16] << 6
	text := crockford.EncodeToString(shifted[:])[:26]
	return []byte(`"` + text + `"`)
}
