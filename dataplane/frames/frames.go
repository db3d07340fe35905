// Package frames holds what the plane's binary formats share: a version byte and
// a CRC-32C in front of the content, numbers as varints, texts behind their
// length, and content packed with s2 (block format).
//
// Format checks and seals a whole frame, Cursor takes its content apart, and
// AppendBytes and encoding/binary put it together. What the content means is
// each format's own business.
//
// It guarantees that a reader's memory is bounded by the size of what it reads
// and by the limits that it gives, whatever the bytes say.
package frames

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"weir/shared/fault"
)

// Format says how the frames of one format begin: byte 0 is the version, and
// somewhere behind it stand four bytes of checksum, the CRC-32C of all other
// bytes of the frame.
type Format struct {
	Name           string           // in texts of errors, for instance "frame"
	Oldest, Newest byte             // the versions that this program reads, from 1
	Sum            int              // where the checksum stands, from 1
	Order          binary.ByteOrder // of the checksum
	Head           int              // the fewest bytes of a frame, at least Sum+4
	Unknown        fault.Kind       // of the error about another version, for instance fault.Invalid
}

// Seal sets the version to Newest and writes the checksum into frame, which must
// have at least Head bytes.
func (f *Format) Seal(frame []byte) {
	frame[0] = f.Newest
	f.Order.PutUint32(frame[f.Sum:], f.sum(frame))
}

// Check returns an error unless frame, whose version is frame[0], is whole.
//
// fault.Invalid: it is damaged. Unknown: this program does not know its version.
func (f *Format) Check(frame []byte) error {
	if len(frame) < f.Head {
		return f.Damaged("it is shorter than its header")
	}
	if frame[0] == 0 {
		return f.Damaged("its version is 0")
	}
	if frame[0] < f.Oldest || frame[0] > f.Newest {
		known := fmt.Sprint(f.Newest)
		if f.Oldest < f.Newest {
			known = fmt.Sprintf("%d to %d", f.Oldest, f.Newest)
		}
		return fault.New(f.Unknown, "The %s has format version %d, this program reads %s.", f.Name, frame[0], known)
	}
	if f.Order.Uint32(frame[f.Sum:]) != f.sum(frame) {
		return f.Damaged("its checksum is wrong")
	}
	return nil
}

func (f *Format) sum(frame []byte) uint32 {
	return Sum(Sum(0, frame[:f.Sum]), frame[f.Sum+4:])
}

// Unpack returns what Pack packed. body stays as it is.
//
// fault.Invalid: body is damaged, or unpacked it has more than most bytes.
func (f *Format) Unpack(body []byte, most int) ([]byte, error) {
	n, err := s2.DecodedLen(body)
	if err != nil || n > most {
		return nil, f.Damaged("its unpacked size is out of range")
	}
	plain, err := s2.Decode(make([]byte, n), body)
	if err != nil {
		return nil, f.Damaged("it cannot be unpacked")
	}
	return plain, nil
}

// Damaged returns the error about a frame that is damaged, with a reason such as
// "its checksum is wrong". It is fault.Invalid.
func (f *Format) Damaged(why string) error {
	return fault.New(fault.Invalid, "The %s is damaged: %s.", f.Name, why)
}

// Pack adds body to dst, packed if that is smaller. When dst has to grow, it
// gets just the room that packing needs.
func Pack(dst, body []byte) (out []byte, packed bool) {
	if room := s2.MaxEncodedLen(len(body)); cap(dst)-len(dst) < room {
		dst = append(make([]byte, 0, len(dst)+room), dst...)
	}
	small := s2.Encode(dst[len(dst):cap(dst)], body)
	if len(small) < len(body) {
		return dst[:len(dst)+len(small)], true
	}
	return append(dst, body...), false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum continues a CRC-32C, which begins with 0, with data.
func Sum(sum uint32, data []byte) uint32 { return crc32.Update(sum, castagnoli, data) }

// AppendBytes adds b to dst behind its length as an uvarint, as Cursor.Bytes and
// Cursor.Text read it.
func AppendBytes[B ~string | ~[]byte](dst []byte, b B) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
