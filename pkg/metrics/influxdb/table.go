package influxdb

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// schema is what stands above the rows of annotated CSV, as in
// https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/.
type schema struct {
	datatype, group, defaults, columns []string
}

// read gives the last value of each table that is not null. Tables come one after another, those of the same
// columns below the same header.
func (p *Provider) read(answer []byte) ([]metrics.Sample, error) {
	records, err := p.records(answer)
	if err != nil {
		return nil, err
	}
	var s schema
	var order []string
	last := map[string]metrics.Sample{}
	for _, record := range records {
		switch {
		case record[0] == "#datatype":
			s = schema{datatype: record}
		case s.datatype == nil || len(record) != len(s.datatype):
			return nil, p.server.Unreadable()
		case record[0] == "#group":
			s.group = record
		case record[0] == "#default":
			s.defaults = record
		case s.columns == nil:
			s.columns = record
		default:
			table, sample, err := p.row(s, record)
			if err != nil {
				return nil, err
			}
			if sample == nil {
				continue
			}
			if _, known := last[table]; !known {
				order = append(order, table)
			}
			last[table] = *sample
		}
	}
	var samples []metrics.Sample
	for _, table := range order {
		samples = append(samples, last[table])
	}
	return samples, nil
}

// row reads one row: of which table it is, and what value it has, nil where that is null.
func (p *Provider) row(s schema, record []string) (table string, _ *metrics.Sample, _ error) {
	if s.group == nil || s.defaults == nil {
		return "", nil, p.server.Unreadable()
	}
	field := func(i int) string {
		if record[i] == "" {
			return s.defaults[i]
		}
		return record[i]
	}
	// What goes wrong after the answer has begun comes as a table of its own.
	if i := slices.Index(s.columns, "error"); i >= 0 && slices.Contains(s.columns, "reference") {
		return "", nil, p.server.Rejects(field(i))
	}
	i := slices.Index(s.columns, "_value")
	if i < 0 {
		return "", nil, metrics.Rejectedf("the query gives a table without the column _value; keep that column")
	}
	labels := map[string]string{}
	var name strings.Builder
	for j, column := range s.columns {
		switch {
		case column == "result" || column == "table":
			name.WriteString(field(j) + " ")
		case s.group[j] == "true" && column != "_start" && column != "_stop":
			labels[column] = field(j)
		}
	}
	table = name.String()
	if field(i) == "" {
		return table, nil, nil
	}
	switch kind := s.datatype[i]; kind {
	case "double", "long", "unsignedLong":
		value, err := strconv.ParseFloat(field(i), 64)
		if err != nil {
			return "", nil, p.server.Unreadable()
		}
		return table, &metrics.Sample{Series: series(labels), Value: value}, nil
	default:
		return "", nil, metrics.Rejectedf("the query gives a value of type %s where a number is needed; convert it, "+
			"for example with toFloat()", metrics.Quote(kind))
	}
}

func series(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ",")
}
