package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFrame is a frame that cannot be one of the other end's.
var ErrFrame = errors.New("a frame that cannot be read")

// Send writes one frame: four bytes of length, one of kind, a body.
func Send(to io.Writer, kind byte, body []byte) error {
	frame := make([]byte, 5, 5+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(body)+1))
	frame[4] = kind
	_, err := to.Write(append(frame, body...))
	return err
}

// Receive reads one frame, of which kind and body are at most so many bytes. What
// it returns belongs to the caller. ErrFrame: it is longer, or empty.
func Receive(from io.Reader, most int) (kind byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || int64(n) > int64(most) {
		return 0, nil, fmt.Errorf("a frame of %d bytes: %w", n, ErrFrame)
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(from, body); err != nil {
		return 0, nil, err
	}
	return body[0], body[1:], nil
}
