package main

import (
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// board is the dashboard. Its data source and its Canary are chosen at the top.
func board() (dashboard.Dashboard, error) {
	b := dashboard.NewDashboardBuilder("Weir").Uid("weir").Description("Canaries, and the operator that releases by them.").
		Tags([]string{"weir", "kubernetes"}).Timezone("browser").Time("now-6h", "now").Refresh("30s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(variable("namespace", "label_values(weir_canary_info, namespace)")).
		WithVariable(variable("name", `label_values(weir_canary_info{namespace="$namespace"}, name)`))
	id := uint32(0)
	next := func() uint32 { id++; return id }
	for _, r := range rows() {
		b.WithRow(dashboard.NewRowBuilder(r.title).Id(next()))
		for _, p := range r.panels {
			b.WithPanel(picture(p, next()))
		}
	}
	return b.Build()
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

func variable(name, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Datasource(source()).Query(dashboard.StringOrMap{String: &query}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
}

// picture is a panel as Grafana has it.
func picture(p panel, id uint32) cog.Builder[dashboard.Panel] {
	if p.height == 0 {
		p.height = 8
	}
	switch p.kind {
	case number:
		return stated(p, id)
	case timeline:
		return timelined(p, id)
	default:
		return drawn(p, id)
	}
}

func targets(p panel) []*prometheus.DataqueryBuilder {
	var all []*prometheus.DataqueryBuilder
	for i, q := range p.queries {
		t := prometheus.NewDataqueryBuilder().Datasource(source()).Expr(q.expr).RefId(string(rune('A' + i)))
		if p.kind == number {
			t.Instant()
		} else {
			t.Range()
		}
		if q.legend != "" {
			t.LegendFormat(q.legend)
		}
		all = append(all, t)
	}
	return all
}

func stated(p panel, id uint32) *stat.PanelBuilder {
	steps := []dashboard.Threshold{{Color: "green"}}
	if p.bad > 0 {
		steps = append(steps, dashboard.Threshold{Value: &p.bad, Color: "red"})
	}
	b := stat.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Datasource(source()).Span(p.width).Height(p.height).
		Unit(p.unit).NoValue("-").GraphMode(common.BigValueGraphModeNone).Orientation(common.VizOrientationAuto).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
	for _, t := range targets(p) {
		b.WithTarget(t)
	}
	return b
}

func timelined(p panel, id uint32) *statetimeline.PanelBuilder {
	names := map[string]dashboard.ValueMappingResult{}
	for i, n := range p.names {
		names[strconv.Itoa(i+1)] = dashboard.ValueMappingResult{Text: &n.value, Color: &n.colour, Index: new(int32(i))}
	}
	b := statetimeline.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Datasource(source()).Span(p.width).
		Height(p.height).MergeValues(true).ShowValue(common.VisibilityModeAuto).
		Mappings([]dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: names}}})
	for _, t := range targets(p) {
		b.WithTarget(t)
	}
	return b
}

func drawn(p panel, id uint32) *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Datasource(source()).Span(p.width).Height(p.height).
		Unit(p.unit).AxisSoftMin(0).Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti))
	if p.max > 0 {
		b.Max(p.max)
	}
	if p.kind == bars {
		b.DrawStyle(common.GraphDrawStyleBars)
	}
	if p.kind != lines {
		b.FillOpacity(60).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	for _, t := range targets(p) {
		b.WithTarget(t)
	}
	return b
}
