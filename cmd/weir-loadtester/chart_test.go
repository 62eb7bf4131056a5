package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/charts"
)

// TestChartKnowsEveryFlag: whoever adds a flag adds its value to the chart, and to the values of e2e/charts/testdata.
func TestChartKnowsEveryFlag(t *testing.T) {
	unset, err := charts.Unset(t.Context(), t.TempDir(), "weir-loadtester", command().Flags())
	require.NoError(t, err)
	assert.Empty(t, unset, "charts/weir-loadtester has no value for these flags")
}
