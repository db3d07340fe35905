package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
)

// There reports which rows a table has, by their keys. keyed are the columns of
// its key where that is not the primary key.
func (x *Session) There(ctx context.Context, name string, keyed, keys []string) (map[string]bool, error) {
	t, err := x.Table(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(keyed) == 0 {
		keyed = t.Key
	}
	var columns, types []string
	for _, k := range keyed {
		i := slices.IndexFunc(t.Columns, func(c tables.Column) bool { return c.Name == k })
		if i < 0 {
			return nil, &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table %s has no column %s of its key: correct the setting keys.", t.Name, k)}
		}
		columns, types = append(columns, text.Quote(k)), append(types, t.Columns[i].Type)
	}
	list := strings.Join(columns, ", ")
	found := map[string]bool{}
	read := func(row [][]byte) error {
		found[strings.ToValidUTF8(string(row[0]), "\uFFFD")] = true
		return nil
	}
	// By values of the columns' types, for which there is an index.
	parts, fit := make([][]string, len(columns)), len(columns) > 0
	for _, k := range keys {
		values := strings.Split(k, ":")
		if len(columns) == 1 {
			values = []string{k}
		}
		if fit = fit && len(values) == len(columns); !fit {
			break
		}
		for i, v := range values {
			parts[i] = append(parts[i], v)
		}
	}
	if fit {
		var arrays, args []string
		for i, typ := range types {
			arrays, args = append(arrays, fmt.Sprintf("$%d::%s[]", i+1, typ)), append(args, Array(parts[i]))
		}
		err := x.Query(ctx, name, "select concat_ws(':', "+list+") from "+t.Name+" where ("+list+") in (select * from unnest("+strings.Join(arrays, ", ")+"))", args, read)
		var f *pull.Failure
		if err == nil || !errors.As(err, &f) || f.Code != pull.CodeRefused {
			return found, err
		}
		clear(found) // keys of former columns
	}
	return found, x.Query(ctx, name, "select concat_ws(':', "+list+") from "+t.Name+" where concat_ws(':', "+list+") = any($1::text[])", []string{Array(keys)}, read)
}

// Array is texts as a value of an array's type.
func Array(values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + escape.Replace(v) + `"`)
	}
	return "{" + b.String() + "}"
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
