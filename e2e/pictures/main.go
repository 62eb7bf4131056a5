// Command pictures draws the messages of docs/alerts.md: what package slack sends, by its golden files, as Slack shows
// it, more or less. It needs a Chromium.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

const (
	golden = "pkg/alert/slack/testdata"
	// width of a picture, and how high a page may be, both in CSS's pixels, of which each is scale of the picture's.
	width, highest, scale = 680, 1600, 2
)

func main() {
	browser := flag.String("browser", "chromium", "program that takes the pictures")
	into := flag.String("into", "docs/images", "folder for the pictures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, name := range []string{"promoted", "rolledback", "digest"} {
		if err := draw(ctx, *browser, name, filepath.Join(*into, "alert-slack-"+name+".png")); err != nil {
			fmt.Fprintln(os.Stderr, "pictures:", err)
			os.Exit(1)
		}
	}
}

// draw takes the picture of one message.
func draw(ctx context.Context, browser, name, file string) error {
	m, err := read(filepath.Join(golden, name+".json"))
	if err != nil {
		return err
	}
	page, err := m.page()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	from, shot := filepath.Join(scratch, "page.html"), filepath.Join(scratch, "shot.png")
	if err := os.WriteFile(from, []byte(page), 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(scratch, "profile"), fmt.Sprintf("--force-device-scale-factor=%d", scale),
		fmt.Sprintf("--window-size=%d,%d", width, highest), "--screenshot="+shot, "file://"+from).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taking the picture of %s: %w: %s", name, err, out)
	}
	return cropped(shot, file)
}

// read gives the message of a golden file.
func read(file string) (*message, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var sent []struct{ Body *message }
	if err := json.Unmarshal(content, &sent); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if len(sent) != 1 || sent[0].Body == nil {
		return nil, fmt.Errorf("%s has not one message", file)
	}
	return sent[0].Body, nil
}

// cropped leaves off what is empty below.
func cropped(shot, file string) error {
	in, err := os.Open(shot)
	if err != nil {
		return err
	}
	defer in.Close()
	picture, err := png.Decode(in)
	if err != nil {
		return err
	}
	part, ok := picture.(interface {
		SubImage(r image.Rectangle) image.Image
	})
	if !ok {
		return errors.New("the picture cannot be cut")
	}
	bounds := picture.Bounds()
	empty := func(y int) bool {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if picture.At(x, y) != picture.At(bounds.Min.X, bounds.Max.Y-1) {
				return false
			}
		}
		return true
	}
	const margin = 16 * scale
	for bounds.Max.Y-margin > bounds.Min.Y && empty(bounds.Max.Y-margin) {
		bounds.Max.Y--
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(out, part.SubImage(bounds)); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
