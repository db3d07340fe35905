package warehouses_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"strings"
	"time"
	"unicode/utf16"

	driver "github.com/duckdb/duckdb-go/v2"
)

// The Tabular Data Stream protocol as a server speaks it: packets, tokens and values, as far
// as the stand-in of SQL Server needs them.
// Source: https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-tds

// Types of packets.
const (
	tdsBatch     = 0x01
	tdsReply     = 0x04
	tdsAttention = 0x06
	tdsBulk      = 0x07
	tdsLogin     = 0x10
	tdsPrelogin  = 0x12
)

const (
	tdsPacket   = 4096 // bytes of a packet of the server's
	tdsMaxBytes = 1 << 30
)

// tdsConn is a connection of a client.
type tdsConn struct {
	net.Conn
	r *bufio.Reader
}

// message reads a message of one or more packets.
func (c *tdsConn) message() (typ byte, body []byte, err error) {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.r, head); err != nil {
			return 0, nil, err
		}
		size := int(binary.BigEndian.Uint16(head[2:]))
		if size < 8 || len(body) > tdsMaxBytes || typ != 0 && typ != head[0] {
			return 0, nil, errors.New("no packet")
		}
		typ = head[0]
		from := len(body)
		body = append(body, make([]byte, size-8)...)
		if _, err := io.ReadFull(c.r, body[from:]); err != nil {
			return 0, nil, err
		}
		if head[1]&1 != 0 {
			return typ, body, nil
		}
	}
}

// send writes a message in packets.
func (c *tdsConn) send(typ byte, body []byte) error {
	var out bytes.Buffer
	for n := byte(1); ; n++ {
		part := body[:min(len(body), tdsPacket-8)]
		body = body[len(part):]
		last := byte(0)
		if len(body) == 0 {
			last = 1
		}
		out.Write([]byte{typ, last, byte((len(part) + 8) >> 8), byte(len(part) + 8), 0, 0, n, 0})
		out.Write(part)
		if last == 1 {
			_, err := c.Write(out.Bytes())
			return err
		}
	}
}

// tdsHandshake carries TLS in packets until it is done.
type tdsHandshake struct {
	*tdsConn
	left []byte
}

func (h *tdsHandshake) Read(b []byte) (int, error) {
	if len(h.left) == 0 {
		typ, body, err := h.message()
		if err != nil || typ != tdsPrelogin {
			return 0, errors.Join(err, errors.New("no handshake"))
		}
		h.left = body
	}
	n := copy(b, h.left)
	h.left = h.left[n:]
	return n, nil
}

func (h *tdsHandshake) Write(b []byte) (int, error) { return len(b), h.send(tdsPrelogin, b) }

// tdsSwitch is the way of TLS, which changes after the handshake.
type tdsSwitch struct {
	net.Conn
	rw io.ReadWriter
}

func (s *tdsSwitch) Read(b []byte) (int, error)  { return s.rw.Read(b) }
func (s *tdsSwitch) Write(b []byte) (int, error) { return s.rw.Write(b) }

// prelogin answers the first message: with a certificate encryption is needed, without it
// there is none.
func (c *tdsConn) prelogin(config *tls.Config) (*tdsConn, error) {
	typ, body, err := c.message()
	if err != nil || typ != tdsPrelogin {
		return nil, errors.Join(err, errors.New("no prelogin"))
	}
	wants := byte(2)
	for i := 0; i+5 <= len(body) && body[i] != 0xff; i += 5 {
		if at := int(binary.BigEndian.Uint16(body[i+1:])); body[i] == 1 && at < len(body) {
			wants = body[at]
		}
	}
	says := byte(2) // not to be had
	if config != nil {
		says = 3 // required
		if wants == 1 {
			says = 1
		}
	}
	err = c.send(tdsReply, []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, says})
	if err != nil || config == nil {
		return c, err
	}
	if wants == 2 {
		return nil, errors.New("encryption is required")
	}
	way := &tdsSwitch{Conn: c.Conn, rw: &tdsHandshake{tdsConn: c}}
	secured := tls.Server(way, config)
	if err := secured.Handshake(); err != nil {
		return nil, err
	}
	way.rw = struct {
		io.Reader
		io.Writer
	}{c.r, c.Conn}
	return &tdsConn{Conn: secured, r: bufio.NewReader(secured)}, nil
}

// login reads who signs in.
func (c *tdsConn) login() (user, password, database string, err error) {
	typ, b, err := c.message()
	if err != nil || typ != tdsLogin || len(b) < 94 {
		return "", "", "", errors.Join(err, errors.New("no login"))
	}
	field := func(at int) []byte {
		from, n := int(binary.LittleEndian.Uint16(b[at:])), 2*int(binary.LittleEndian.Uint16(b[at+2:]))
		if from+n > len(b) {
			err = errors.New("a field of the login lies outside")
			return nil
		}
		return b[from : from+n]
	}
	secret := bytes.Clone(field(44))
	for i, x := range secret {
		x ^= 0xA5
		secret[i] = x<<4 | x>>4
	}
	return utf16le(field(40)), utf16le(secret), utf16le(field(68)), err
}

func utf16le(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}

func ucs2(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// tokens are what a server answers.
type tokens []byte

func (t *tokens) byteText(s string) {
	b := ucs2(s)
	*t = append(append(*t, byte(len(b)/2)), b...)
}

// sized appends a token with its length.
func (t *tokens) sized(token byte, body tokens) {
	*t = append(*t, token)
	*t = append(binary.LittleEndian.AppendUint16(*t, uint16(len(body))), body...)
}

// done ends a statement.
func (t *tokens) done(status uint16, rows int64) {
	*t = append(*t, 0xFD)
	*t = binary.LittleEndian.AppendUint16(*t, status)
	*t = binary.LittleEndian.AppendUint16(*t, 0)
	*t = binary.LittleEndian.AppendUint64(*t, uint64(rows))
}

// Bits of done.
const (
	tdsMore  = 1
	tdsError = 2
	tdsCount = 0x10
	tdsAttn  = 0x20
)

// welcome is the answer to a login.
func (t *tokens) welcome(database string) {
	env := tokens{1}
	env.byteText(database)
	env.byteText("master")
	t.sized(0xE3, env)
	env = tokens{4}
	env.byteText(fmt.Sprint(tdsPacket))
	env.byteText(fmt.Sprint(tdsPacket))
	t.sized(0xE3, env)
	ack := tokens{1, 0x74, 0, 0, 4}
	ack.byteText("Microsoft SQL Server")
	t.sized(0xAD, append(ack, 16, 0, 0, 0))
	t.done(0, 0)
}

// failed tells an error.
func (t *tokens) failed(number int32, text string) {
	body := binary.LittleEndian.AppendUint32(nil, uint32(number))
	class := byte(16)
	if number == 18456 || number == 229 || number == 262 {
		class = 14
	}
	body = append(body, 1, class)
	b := ucs2(text)
	body = append(binary.LittleEndian.AppendUint16(body, uint16(len(b)/2)), b...)
	rest := tokens(body)
	rest.byteText("standin")
	rest.byteText("")
	t.sized(0xAA, append(rest, 1, 0, 0, 0))
}

// moved tells that a transaction began (8), or ended with success (9) or without (10).
func (t *tokens) moved(how byte, id uint64) {
	b := binary.LittleEndian.AppendUint64([]byte{8}, id)
	if how == 8 {
		t.sized(0xE3, append(append([]byte{how}, b...), 0))
	} else {
		t.sized(0xE3, append([]byte{how, 0}, b...))
	}
}

// result writes the rows of DuckDB, each value in the type that SQL Server has for it.
func (t *tokens) result(from table) error {
	*t = append(*t, 0x81)
	*t = binary.LittleEndian.AppendUint16(*t, uint16(len(from.names)))
	kinds := make([]string, len(from.names))
	for i, name := range from.names {
		*t = append(*t, 0, 0, 0, 0, 1, 0)
		typ, _, _ := strings.Cut(from.types[i], "(")
		switch kinds[i] = typ; typ {
		case "BIGINT", "UBIGINT":
			*t = append(*t, 0x26, 8)
		case "INTEGER":
			*t = append(*t, 0x26, 4)
		case "SMALLINT", "TINYINT", "UTINYINT":
			*t = append(*t, 0x26, 2)
		case "DOUBLE":
			*t = append(*t, 0x6D, 8)
		case "FLOAT":
			*t = append(*t, 0x6D, 4)
		case "BOOLEAN":
			*t = append(*t, 0x68, 1)
		case "TIMESTAMPTZ":
			digits := byte(7)
			_, _ = fmt.Sscanf(from.types[i], "TIMESTAMPTZ(%d)", &digits)
			*t = append(*t, 0x2B, digits)
		case "NVARCHAR":
			var size uint16
			_, _ = fmt.Sscanf(from.types[i], "NVARCHAR(%d)", &size)
			*t = append(binary.LittleEndian.AppendUint16(append(*t, 0xE7), 2*size), 9, 4, 0xd0, 0, 52)
		case "TIMESTAMP", "TIMESTAMP_S":
			*t = append(*t, 0x2A, 7)
		case "DATE":
			*t = append(*t, 0x28)
		case "UUID":
			*t = append(*t, 0x24, 16)
		case "HUGEINT":
			kinds[i] = "DECIMAL 0"
			*t = append(*t, 0x6A, 17, 38, 0)
		case "DECIMAL":
			var precision, scale byte
			if _, err := fmt.Sscanf(from.types[i], "DECIMAL(%d,%d)", &precision, &scale); err != nil {
				return err
			}
			kinds[i] = fmt.Sprint("DECIMAL ", scale)
			*t = append(*t, 0x6A, 17, precision, scale)
		default:
			kinds[i] = ""
			*t = append(*t, 0xE7, 0xff, 0xff, 9, 4, 0xd0, 0, 52)
		}
		t.byteText(name)
	}
	for _, row := range from.rows {
		*t = append(*t, 0xD1)
		for i, v := range row {
			if err := t.value(kinds[i], v); err != nil {
				return fmt.Errorf("column %s: %w", from.names[i], err)
			}
		}
	}
	return nil
}

func (t *tokens) value(kind string, v any) error {
	if v == nil {
		if kind == "" {
			*t = binary.LittleEndian.AppendUint64(*t, math.MaxUint64)
		} else {
			*t = append(*t, 0)
		}
		return nil
	}
	short := func(b []byte) error {
		*t = append(append(*t, byte(len(b))), b...)
		return nil
	}
	whole := func(n int64, bytes int) error {
		return short(binary.LittleEndian.AppendUint64(nil, uint64(n))[:bytes])
	}
	switch v := v.(type) {
	case int64:
		return whole(v, 8)
	case uint64:
		return whole(int64(v), 8)
	case int32:
		return whole(int64(v), 4)
	case int16:
		return whole(int64(v), 2)
	case int8:
		return whole(int64(v), 2)
	case uint8:
		return whole(int64(v), 2)
	case float64:
		return short(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
	case float32:
		return short(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	case bool:
		if v {
			return short([]byte{1})
		}
		return short([]byte{0})
	case time.Time:
		v = v.UTC()
		day := v.Truncate(24 * time.Hour)
		days := uint32((day.Unix() - time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()) / (24 * 60 * 60))
		date := []byte{byte(days), byte(days >> 8), byte(days >> 16)}
		if kind == "DATE" {
			return short(date)
		}
		b := append(binary.LittleEndian.AppendUint64(nil, uint64(v.Sub(day)/100))[:5], date...)
		if kind == "TIMESTAMPTZ" {
			b = append(b, 0, 0)
		}
		return short(b)
	case *big.Int:
		return t.decimal(v)
	case driver.UUID:
		return short([]byte{v[3], v[2], v[1], v[0], v[5], v[4], v[7], v[6], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]})
	case []byte:
		if kind == "UUID" && len(v) == 16 {
			return t.value(kind, driver.UUID(v))
		}
		return t.value(kind, string(v))
	case string:
		if scale, is := strings.CutPrefix(kind, "DECIMAL "); is {
			n, ok := new(big.Rat).SetString(v + "e" + scale)
			if !ok || !n.IsInt() {
				return fmt.Errorf("%q has more than %s digits behind the point", v, scale)
			}
			return t.decimal(n.Num())
		}
		b := ucs2(v)
		*t = binary.LittleEndian.AppendUint64(*t, uint64(len(b)))
		if len(b) > 0 {
			*t = append(binary.LittleEndian.AppendUint32(*t, uint32(len(b))), b...)
		}
		*t = append(*t, 0, 0, 0, 0)
		return nil
	}
	return fmt.Errorf("no way to write %T", v)
}

func (t *tokens) decimal(n *big.Int) error {
	b := make([]byte, 17)
	if n.Sign() >= 0 {
		b[0] = 1
	}
	digits := new(big.Int).Abs(n).Bytes()
	if len(digits) > 16 {
		return errors.New("a number is too large")
	}
	for i, d := range digits {
		b[len(digits)-i] = d
	}
	*t = append(append(*t, 17), b...)
	return nil
}

// tdsColumn is a column of a bulk load.
type tdsColumn struct {
	name     string
	typ      byte
	far      bool // a text of any length
	size     int
	fraction byte
}

// declared is the type that INSERT BULK has to say.
func (c *tdsColumn) declared() string {
	switch {
	case c.typ == 0x26 && c.size == 8:
		return "bigint"
	case c.typ == 0x6D && c.size == 8:
		return "float"
	case c.typ == 0x68:
		return "bit"
	case c.typ == 0x2B:
		return fmt.Sprintf("datetimeoffset(%d)", c.fraction)
	case c.typ == 0xE7 && c.far:
		return "nvarchar(max)"
	case c.typ == 0xE7:
		return fmt.Sprintf("nvarchar(%d)", c.size/2)
	}
	return fmt.Sprintf("%#x", c.typ)
}

// bulk reads a bulk load: metadata, rows, done.
func bulk(b []byte) (columns []tdsColumn, rows [][]any, err error) {
	defer func() {
		if r := recover(); r != nil { // it reads outside
			err = fmt.Errorf("the bulk load is cut: %v", r)
		}
	}()
	next := func(n int) []byte {
		part := b[:n]
		b = b[n:]
		return part
	}
	if next(1)[0] != 0x81 {
		return nil, nil, errors.New("a bulk load begins with the columns")
	}
	for range binary.LittleEndian.Uint16(next(2)) {
		next(6)
		c := tdsColumn{typ: next(1)[0]}
		switch c.typ {
		case 0x26, 0x6D, 0x68:
			c.size = int(next(1)[0])
		case 0x2B:
			c.fraction = next(1)[0]
		case 0xE7:
			c.size = int(binary.LittleEndian.Uint16(next(2)))
			c.far = c.size == 0xffff
			next(5)
		default:
			return nil, nil, fmt.Errorf("type %#x is not known", c.typ)
		}
		c.name = utf16le(next(2 * int(next(1)[0])))
		columns = append(columns, c)
	}
	for {
		switch token := next(1)[0]; token {
		case 0xFD:
			next(12)
			if len(b) > 0 {
				return nil, nil, errors.New("something follows the end of a bulk load")
			}
			return columns, rows, nil
		case 0xD1:
		default:
			return nil, nil, fmt.Errorf("token %#x in a bulk load", token)
		}
		row := make([]any, len(columns))
		for i, c := range columns {
			switch {
			case c.far:
				if binary.LittleEndian.Uint64(next(8)) == math.MaxUint64 {
					continue
				}
				var text []byte
				for {
					n := int(binary.LittleEndian.Uint32(next(4)))
					if n == 0 {
						break
					}
					text = append(text, next(n)...)
				}
				row[i] = utf16le(text)
			case c.typ == 0xE7:
				n := int(binary.LittleEndian.Uint16(next(2)))
				if n == 0xffff {
					continue
				}
				if n > c.size {
					return nil, nil, errors.New("Received an invalid column length from the bcp client")
				}
				row[i] = utf16le(next(n))
			default:
				v := next(int(next(1)[0]))
				switch {
				case len(v) == 0:
				case c.typ == 0x26:
					row[i] = int64(binary.LittleEndian.Uint64(v))
				case c.typ == 0x6D:
					row[i] = math.Float64frombits(binary.LittleEndian.Uint64(v))
				case c.typ == 0x68:
					row[i] = v[0] == 1
				case c.fraction != 3 || len(v) != 9 || v[7] != 0 || v[8] != 0:
					return nil, nil, errors.New("a moment that is not in UTC with milliseconds")
				default:
					ms := int64(binary.LittleEndian.Uint32(v))
					days := int64(v[4]) | int64(v[5])<<8 | int64(v[6])<<16
					row[i] = time.UnixMilli(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + days*24*60*60*1000 + ms).UTC()
				}
			}
		}
		rows = append(rows, row)
	}
}
