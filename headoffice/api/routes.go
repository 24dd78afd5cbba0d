package api

import "branchbot/headoffice/access"

// Routes is the one table of what head office answers, and to whom. Nothing is
// served that does not stand here.
func (s *Server) Routes() []access.Route {
	var (
		anyone  = []access.Role{access.Anyone}
		devices = []access.Role{access.Device}
		persons = access.Persons()
		admins  = []access.Role{access.Admin}
		// Pictures show customers' documents in full.
		customers = access.Customers()
	)
	return []access.Route{
		{Method: "POST", Path: "/v1/enrol", Allow: anyone, Handle: s.enrol},
		{Method: "POST", Path: "/v1/ingest", Allow: devices, Handle: s.ingest},
		{Method: "POST", Path: "/v1/keys", Allow: devices, Handle: s.keys},
		{Method: "HEAD", Path: "/v1/evidence/{digest}", Allow: devices, Handle: s.hasEvidence},
		{Method: "PUT", Path: "/v1/evidence/{digest}", Allow: devices, Handle: s.putEvidence},

		{Method: "GET", Path: "/assets/{file}", Allow: anyone, Page: true, Handle: s.Console.Assets},
		{Method: "GET", Path: "/enter", Allow: anyone, Page: true, Handle: s.enter},
		{Method: "POST", Path: "/leave", Allow: persons, Page: true, Handle: s.leave},
		{Method: "GET", Path: "/{$}", Allow: persons, Page: true, Handle: s.Console.Home},
		{Method: "GET", Path: "/devices", Allow: persons, Page: true, Handle: s.Console.Devices},
		{Method: "GET", Path: "/devices/live", Allow: persons, Page: true, Handle: s.Console.DevicesLive},
		{Method: "GET", Path: "/devices/{device}", Allow: persons, Page: true, Handle: s.Console.Device},
		{Method: "POST", Path: "/devices/{device}/approve", Allow: admins, Page: true, Handle: s.Console.Approve},
		{Method: "POST", Path: "/devices/{device}/revoke", Allow: admins, Page: true, Handle: s.Console.Revoke},
		{Method: "GET", Path: "/runs", Allow: persons, Page: true, Handle: s.Console.Runs},
		{Method: "GET", Path: "/runs/live", Allow: persons, Page: true, Handle: s.Console.RunsLive},
		{Method: "GET", Path: "/runs/{device}/{run}", Allow: persons, Page: true, Handle: s.Console.Run},
		{Method: "GET", Path: "/runs/{device}/{run}/evidence/{digest}", Allow: customers, Page: true, Handle: s.Console.Picture},
		{Method: "GET", Path: "/runs/{device}/{run}/live", Allow: persons, Page: true, Handle: s.Console.RunLive},
	}
}
