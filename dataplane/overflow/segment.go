package overflow

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/queue"
	"weir/shared/fault"
)

// segment is an object with records that were moved out of a log, in order:
// <folder>/<key>/<first>-<last>-<records>-<bytes>.
type segment struct {
	folder      blob.Ref
	key         string
	first, last uint64
	records     uint64
	bytes       int64
}

// segmentOf reads an object's name. fault.Invalid: it is no segment's.
func segmentOf(folder, object blob.Ref) (segment, error) {
	s := segment{folder: folder}
	rest, ok := strings.CutPrefix(string(object), string(folder)+"/")
	key, name, cut := strings.Cut(rest, "/")
	s.key = key
	if n, err := fmt.Sscanf(name, "%d-%d-%d-%d", &s.first, &s.last, &s.records, &s.bytes); !ok || !cut || err != nil || n != 4 || s.ref() != object {
		return segment{}, fault.New(fault.Invalid, "The blob store has the object %s, which is no part of a log.", object)
	}
	return s, nil
}

func (s segment) ref() blob.Ref {
	return blob.Ref(fmt.Sprintf("%s/%s/%020d-%020d-%d-%d", s.folder, s.key, s.first, s.last, s.records, s.bytes))
}

func (s segment) write(ctx context.Context, blobs blob.Store, data []byte) error {
	return blobs.Put(ctx, s.ref(), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// movedHead is how many bytes stand before a record's data: length, checksum of
// what follows, number, time in nanoseconds.
const movedHead = 4 + 4 + 8 + 8

func appendMoved(to []byte, rec queue.Record) []byte {
	at := len(to)
	to = binary.BigEndian.AppendUint32(to, uint32(len(rec.Data)))
	to = append(to, 0, 0, 0, 0)
	to = binary.BigEndian.AppendUint64(to, rec.Seq)
	to = binary.BigEndian.AppendUint64(to, uint64(rec.At.UnixNano()))
	to = append(to, rec.Data...)
	binary.BigEndian.PutUint32(to[at+4:], crc32.Checksum(to[at+8:], castagnoli))
	return to
}

// readAll yields the records of segments with numbers from one to another. Where
// one is damaged, its rest is one record with the number of its last one and without
// a time, which no reader takes for sound.
func (o *Log) readAll(ctx context.Context, segments []segment, from, to uint64) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		next := from
		for _, s := range segments {
			for there := true; there; s, there = o.instead(s, next) {
				gone, more := s.read(ctx, o.c.Blobs, next, to, func(rec queue.Record, err error) bool {
					next = max(next, rec.Seq+1)
					return yield(rec, err)
				})
				if !more {
					return
				}
				if !gone {
					break
				}
			}
		}
	}
}

// instead returns the object that has what is left of s, which is gone, from a number
// on; false: it was purged.
func (o *Log) instead(s segment, from uint64) (segment, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, now := range o.moved[s.key] {
		if now != s && now.first >= s.first && now.last <= s.last && now.last >= from {
			return now, true
		}
	}
	return segment{}, false
}

// read yields one segment's records. It reports whether the object is gone, and
// whether more are wanted.
func (s segment) read(ctx context.Context, blobs blob.Store, from, to uint64, yield func(queue.Record, error) bool) (gone, more bool) {
	f, err := blobs.Open(ctx, s.ref())
	if fault.KindOf(err) == fault.Missing {
		return true, true
	}
	if err != nil {
		return false, yield(queue.Record{}, fault.New(fault.Unavailable, "The blob store cannot be read: %v.", err))
	}
	defer func() { _ = f.Close() }() // nothing was written
	in := bufio.NewReaderSize(f, 64<<10)
	for after := from; ; {
		var head [movedHead]byte
		n, err := io.ReadFull(in, head[:])
		if errors.Is(err, io.EOF) {
			return false, true
		}
		size := binary.BigEndian.Uint32(head[:])
		rec := queue.Record{Key: s.key, Seq: binary.BigEndian.Uint64(head[8:]), At: time.Unix(0, int64(binary.BigEndian.Uint64(head[16:]))).UTC()}
		if err == nil && size <= queue.MaxPayload {
			rec.Data = make([]byte, size)
			n, err = io.ReadFull(in, rec.Data)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return false, yield(queue.Record{}, fault.New(fault.Unavailable, "The blob store cannot be read: %v.", err))
		}
		sum := crc32.Update(crc32.Checksum(head[8:], castagnoli), castagnoli, rec.Data)
		if err != nil || size > queue.MaxPayload || sum != binary.BigEndian.Uint32(head[4:]) {
			if s.last < after || s.last > to {
				return false, true
			}
			return false, yield(queue.Record{Key: s.key, Seq: s.last, Data: rec.Data[:min(n, len(rec.Data))]}, nil)
		}
		if rec.Seq > to {
			return false, true
		}
		if rec.Seq < from {
			continue
		}
		after = rec.Seq + 1
		if !yield(rec, nil) {
			return false, false
		}
	}
}
