package stories

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Take the pictures of docs/dashboard.md anew with
// WEIR_E2E=1 go test ./e2e/stories -run 'TestStories/people$' -pictures ../../docs/images
var pictures = flag.String("pictures", "", "folder that the story people puts its pictures of the dashboard into")

// takesPictures shows the Canary's page to a person, in light and in dark, where pictures are asked for. It needs a
// Chromium.
func (s *story) takesPictures(url string) {
	s.t.Helper()
	if *pictures == "" {
		return
	}
	const width, height = 1000, 1140
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(width, height))
	ctx, cancel := chromedp.NewExecAllocator(s.t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	require.NoError(s.t, chromedp.Do(ctx, chromedp.Navigate(url+"/login"), chromedp.WaitVisible("#token"),
		chromedp.SendKeys("#token", s.token("releaser", "weir-dashboard")+kb.Enter), chromedp.WaitVisible(".list"),
		chromedp.Navigate(url+"/canaries/"+s.Namespace+"/"+s.Name), chromedp.WaitVisible("#main")))
	for scheme, name := range map[string]string{"light": "dashboard-one.png", "dark": "dashboard-one-dark.png"} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		require.NoError(s.t, err)
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		require.NoError(s.t, err)
		s.keeps(shot, filepath.Join(*pictures, name))
	}
}

// keeps writes a picture in as few bytes as it can be: of its colours, the 256 that it has most of are enough.
func (s *story) keeps(shot []byte, file string) {
	s.t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	require.NoError(s.t, err)
	counts := map[color.Color]int{}
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[picture.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	few := image.NewPaletted(bounds, colours[:min(len(colours), 256)])
	draw.Draw(few, bounds, picture, bounds.Min, draw.Src)
	var small bytes.Buffer
	require.NoError(s.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, few))
	require.NoError(s.t, os.WriteFile(file, small.Bytes(), 0o644))
	assert.Less(s.t, small.Len(), 200_000, file)
}
