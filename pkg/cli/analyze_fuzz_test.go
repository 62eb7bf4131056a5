package cli

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzWindows: what is read of a file are windows one after the other, with counts that there can be; what cannot be read is
// told with the name of the file.
func FuzzWindows(f *testing.F) {
	const head = "end,canary_requests,canary_bad,primary_requests,primary_bad"
	for _, content := range []string{
		head + "\n2026-11-27T20:01:00Z,100,1,900,9\n2026-11-27T20:02:00Z,100,1,900,9\n",
		head + ",start,weight\n60,1,0,2,0,0,10\n", head + "\nx\"y,1,1,1,1\n", head + "\n\"", head + "\n60,NaN,1,1,1\n",
		head + "\n60,1e999,1,1,1\n", head + "\n1e11,1e308,1e308,0x1p4,1\n", head + "\n60,1,2,3,4\n", head + "\n60,1\n", head, "",
		"a,b\n1,2\n", head + ",end\n60,1,1,1,1,30\n", "\ufeff" + head + "\r\n60,1,1,1,1\r\n",
		head + ",weight\n60,1,1,1,1,101\n", head + "\n-1,1,1,1,1\n", head + "\n9999-12-31T23:59:59Z,1,0,1,0\n",
	} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		windows, err := readWindows("windows.csv", content)
		if err != nil {
			require.Empty(t, windows)
			require.Contains(t, err.Error(), "windows.csv")
			return
		}
		require.NotEmpty(t, windows)
		for i, w := range windows {
			require.True(t, w.Window.Start.Before(w.Window.End))
			require.True(t, i == 0 || !w.Window.Start.Before(windows[i-1].Window.End))
			require.True(t, w.Weight >= 0 && w.Weight <= 100)
			for _, n := range []float64{
				w.Window.Canary.Requests, w.Window.Canary.Bad, w.Window.Primary.Requests, w.Window.Primary.Bad,
			} {
				require.True(t, n >= 0 && !math.IsInf(n, 0), n)
			}
			require.LessOrEqual(t, w.Window.Canary.Bad, w.Window.Canary.Requests)
		}
	})
}
