package browser

import (
	"strings"
)

// disabled are Chromium features that talk to their maker, guess on our behalf
// or keep pages alive after they were left.
func disabled() []string {
	return []string{
		"Translate", "OptimizationHints", "MediaRouter", "DialMediaRouteProvider", "AutofillServerCommunication",
		"CertificateTransparencyComponentUpdater", "InterestFeedContentSuggestions", "HttpsUpgrades",
		"HttpsFirstBalancedModeAutoEnable", "BackForwardCache", "Prerender2", "PasswordLeakDetection", "GlobalMediaControls",
	}
}

// flags is the whole list we start Chromium with; nothing is added elsewhere.
func (l launch) flags(profile string, root bool) []string {
	flags := []string{
		"--remote-debugging-pipe",
		"--user-data-dir=" + profile,
		"--lang=" + l.language(),
		"--accept-lang=" + l.language(),
		"--window-size=1280,1000",
		"--no-first-run", "--no-default-browser-check", "--no-pings", "--no-service-autorun",
		"--disable-background-networking", "--disable-component-update", "--disable-component-extensions-with-background-pages",
		"--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
		"--disable-breakpad", "--disable-crash-reporter", "--disable-field-trial-config", "--disable-client-side-phishing-detection",
		"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
		"--disable-back-forward-cache", "--disable-dev-shm-usage", "--disable-search-engine-choice-screen",
		"--disable-hang-monitor", "--disable-prompt-on-repost", "--disable-save-password-bubble", "--deny-permission-prompts",
		"--metrics-recording-only", "--password-store=basic", "--use-mock-keychain", "--mute-audio", "--media-router=0",
		"--force-color-profile=srgb", "--disable-features=" + strings.Join(disabled(), ","),
		"--proxy-server=http://" + l.proxy,
		"--proxy-bypass-list=<-loopback>", // loopback goes through the proxy too
		"--ignore-certificate-errors-spki-list=" + l.spki,
		"--disable-quic",
		"--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
	}
	if !l.settings.Headed {
		flags = append(flags, "--headless=new", "--disable-gpu", "--hide-scrollbars")
	}
	if root {
		flags = append(flags, "--no-sandbox")
	}
	return append(flags, blank)
}

func (l launch) language() string {
	if l.settings.Language == "" {
		return "zh-CN"
	}
	return l.settings.Language
}

// environment keeps what Chromium writes inside the run's scratch folder. On
// Linux its language comes from LANGUAGE, whatever --lang says.
func (l launch) environment(inherited []string, profile string) []string {
	language := strings.ReplaceAll(l.language(), "-", "_")
	return append(inherited,
		"HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_CACHE_HOME="+profile, "TMPDIR="+temporary(profile),
		"LANGUAGE="+language, "LANG="+language+".UTF-8")
}
