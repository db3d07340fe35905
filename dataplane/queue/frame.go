package queue

import (
	"encoding/binary"
	"slices"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/frames"
	"weir/shared/fault"
	"weir/shared/id"
)

// Frame is the events that one commit made durable, of one partition.
type Frame struct {
	Seq    uint64 // its number in EVENTS.p, 0 before it is appended
	Events []event.Event
}

// Sizes of frames.
const (
	// FrameBytes is where a frame is closed; a single larger event makes a
	// frame of its own.
	FrameBytes = 512 << 10
	// MaxPayload is what the event servers must accept in one message.
	MaxPayload = 8 << 20

	// maxRecord is the most data of one record: a payload without room for headers.
	maxRecord = MaxPayload - 64<<10
	// maxEvents is the most events of one frame. Every event takes at least
	// minEvent bytes, so FrameBytes is reached long before.
	maxEvents = 1 << 16
)

// A frame is
//
//	0      version, 2
//	1      flags: 1 = the body is compressed with s2 (block format)
//	2-5    CRC-32C of bytes 0 and 1 and of all after byte 5
//	6-9    number of events
//	10-13  size of the body before compression
//	14-    body
//
// with integers in little endian. The body is a table with, for each event, the
// end of its head and the end of its JSON (4 bytes each, counted from the start
// of the heads and of the JSON); then all heads; then all JSON. A head is a byte
// of flags (1 = Generated, 2 = Replayed, 4 = destination and detail follow, 8 =
// delivery follows), ReceivedAt as a varint of Unix milliseconds, then workspace,
// source, messageId, type, user, quarantine and perhaps destination and detail and
// delivery, each with its length as an uvarint before it. Version 1 has no delivery.
const (
	flagS2     = 1
	flagsKnown = flagS2
	headerSize = 14
	tableEntry = 8
	minEvent   = tableEntry + 8 // an entry and a head of empty fields

	eventGenerated = 1
	eventReplayed  = 2
	eventConcerns  = 4
	eventDelivery  = 8
	eventFlags     = eventGenerated | eventReplayed | eventConcerns | eventDelivery
)

var format = frames.Format{Name: "frame", Oldest: 1, Newest: 2, Sum: 2, Order: binary.LittleEndian, Head: headerSize, Unknown: fault.Invalid}

// bodies holds bodies before compression.
var bodies = frames.Buffers{Most: 4 * FrameBytes}

// EncodeFrame returns the bytes of a frame with events. Their size must stay
// under MaxPayload less 64 KiB, which Writer sees to: DecodeFrame refuses more.
func EncodeFrame(events []event.Event) []byte { return appendFrame(nil, events) }

// appendFrame is EncodeFrame that adds to dst.
func appendFrame(dst []byte, events []event.Event) []byte {
	buf := bodies.Get()
	body := appendBody(*buf, events)
	start := len(dst)
	var header [headerSize]byte
	binary.LittleEndian.PutUint32(header[6:], uint32(len(events)))
	binary.LittleEndian.PutUint32(header[10:], uint32(len(body)))
	dst, packed := frames.Pack(append(dst, header[:]...), body)
	if packed {
		dst[start+1] = flagS2
	}
	format.Seal(dst[start:])
	bodies.Put(buf, body)
	return dst
}

// appendBody adds table, heads and JSON of events to dst, which must be empty.
func appendBody(dst []byte, events []event.Event) []byte {
	size := 0
	for i := range events {
		size += eventSize(&events[i])
	}
	table := len(events) * tableEntry
	dst = slices.Grow(dst, size)[:table]
	for i := range events {
		e := &events[i]
		var flags byte
		if e.Generated {
			flags |= eventGenerated
		}
		if e.Replayed {
			flags |= eventReplayed
		}
		concerns := e.Destination != "" || e.Detail != ""
		if concerns {
			flags |= eventConcerns
		}
		if e.Delivery != "" {
			flags |= eventDelivery
		}
		dst = append(dst, flags)
		dst = binary.AppendVarint(dst, e.ReceivedAt.UnixMilli())
		dst = frames.AppendBytes(dst, e.Workspace)
		dst = frames.AppendBytes(dst, e.Source)
		dst = frames.AppendBytes(dst, e.MessageID)
		dst = frames.AppendBytes(dst, e.Type)
		dst = frames.AppendBytes(dst, e.User)
		dst = frames.AppendBytes(dst, e.Quarantine)
		if concerns {
			dst = frames.AppendBytes(dst, e.Destination)
			dst = frames.AppendBytes(dst, e.Detail)
		}
		if e.Delivery != "" {
			dst = frames.AppendBytes(dst, e.Delivery)
		}
		binary.LittleEndian.PutUint32(dst[i*tableEntry:], uint32(len(dst)-table))
	}
	heads := len(dst)
	for i := range events {
		dst = append(dst, events[i].JSON...)
		binary.LittleEndian.PutUint32(dst[i*tableEntry+4:], uint32(len(dst)-heads))
	}
	return dst
}

// eventSize returns how many bytes e takes in a frame at most, before compression.
func eventSize(e *event.Event) int {
	return tableEntry + 1 + binary.MaxVarintLen64 + 9*binary.MaxVarintLen32 +
		len(e.Workspace) + len(e.Source) + len(e.MessageID) + len(e.Type) + len(e.User) + len(e.Quarantine) + len(e.Destination) + len(e.Detail) + len(e.Delivery) + len(e.JSON)
}

// DecodeFrame reads what EncodeFrame wrote. The JSON of all events share one
// buffer (data itself when it was not compressed) and their strings another: who
// keeps a single event for long should copy what it needs. Memory is bounded,
// whatever data says.
//
// fault.Invalid: data is damaged or of an unknown version.
func DecodeFrame(data []byte) (Frame, error) {
	if err := format.Check(data); err != nil {
		return Frame{}, err
	}
	if data[1]&^flagsKnown != 0 {
		return Frame{}, format.Damaged("it has unknown flags")
	}
	count := int(binary.LittleEndian.Uint32(data[6:]))
	size := int(binary.LittleEndian.Uint32(data[10:]))
	if size > maxRecord || count > maxEvents || count*minEvent > size {
		return Frame{}, format.Damaged("its sizes are out of range")
	}
	body := data[headerSize:]
	if data[1]&flagS2 != 0 {
		plain, err := format.Unpack(body, size)
		if err != nil {
			return Frame{}, err
		}
		body = plain
	}
	if len(body) != size {
		return Frame{}, format.Damaged("its size is wrong")
	}
	return decodeBody(body, count)
}

// decodeBody reads count events; body is long enough for their table.
func decodeBody(body []byte, count int) (Frame, error) {
	table, rest := body[:count*tableEntry], body[count*tableEntry:]
	headsEnd := uint32(0)
	if count > 0 {
		headsEnd = binary.LittleEndian.Uint32(table[(count-1)*tableEntry:])
	}
	if uint64(headsEnd) > uint64(len(rest)) {
		return Frame{}, format.Damaged("its table is wrong")
	}
	// One copy of all heads makes every string a part of it.
	heads, json := rest[:headsEnd], rest[headsEnd:]
	texts := string(heads)
	events := make([]event.Event, count)
	var head, text uint32
	for i := range events {
		nextHead := binary.LittleEndian.Uint32(table[i*tableEntry:])
		nextText := binary.LittleEndian.Uint32(table[i*tableEntry+4:])
		if nextHead < head || nextHead > headsEnd || nextText < text || uint64(nextText) > uint64(len(json)) {
			return Frame{}, format.Damaged("its table is wrong")
		}
		if !decodeHead(frames.NewTextCursor(heads[head:nextHead], texts[head:nextHead]), &events[i]) {
			return Frame{}, format.Damaged("an event's head is wrong")
		}
		events[i].JSON = json[text:nextText:nextText]
		head, text = nextHead, nextText
	}
	if int(text) != len(json) {
		return Frame{}, format.Damaged("something follows its last event")
	}
	return Frame{Events: events}, nil
}

// decodeHead reads everything but JSON into e; false when head is damaged.
func decodeHead(head frames.Cursor, e *event.Event) bool {
	flags := head.Byte()
	e.Generated, e.Replayed = flags&eventGenerated != 0, flags&eventReplayed != 0
	e.ReceivedAt = time.UnixMilli(head.Int()).UTC()
	e.Workspace = id.Workspace(head.Text())
	e.Source = id.Source(head.Text())
	e.MessageID = id.Event(head.Text())
	e.Type = head.Text()
	e.User = head.Text()
	e.Quarantine = head.Text()
	if flags&eventConcerns != 0 {
		e.Destination, e.Detail = id.Destination(head.Text()), head.Text()
	}
	if flags&eventDelivery != 0 {
		e.Delivery = head.Text()
	}
	return flags&^eventFlags == 0 && head.Done()
}
