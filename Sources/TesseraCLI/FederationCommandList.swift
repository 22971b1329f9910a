/// The commands of the program that has a network, in its own words and groups: so they can be listed without building it.
enum FederationCommandList {
  private static let groups: [(name: String, commands: [(name: String, abstract: String)])] = [
    (
      "Trying it out",
      [("poc", "Provisions a federation on this machine, starts it, and runs a job.")]
    ),
    (
      "Kits",
      [
        ("provision", "Makes start-up kits: one folder for each participant."),
        (
          "request",
          "Makes keys that never leave this machine, and a request for a certificate."
        ),
        ("approve", "Signs a request, and makes the rest of the participant's kit."),
        ("renew", "Gives a participant a certificate that lasts longer, for the key it has."),
        ("revoke", "Ends a participant's certificate."),
        ("check", "Looks at all that a start-up kit's program needs, before the first job does."),
      ]
    ),
    ("Audit", [("audit", "Reads the log of what a server or a site has done and decided.")]),
    (
      "Programs",
      [
        ("server", "Runs a federation's server."),
        (
          "site",
          "Runs a site: opens a connection to the federation's server, and works at its jobs."
        ),
        (
          "console",
          "Takes the commands of this program one after the other, with history and completion."
        ),
      ]
    ),
    (
      "Jobs",
      [
        ("submit", "Hands in a job: signs its folder, and sends it to the server."),
        ("jobs", "Lists the jobs that you may see, the newest first."),
        ("show", "Shows a job: its state, its sites, its rounds."),
        ("log", "Shows what the server has logged of a job."),
        ("watch", "Follows a job: rounds, sites, metrics, and what is moved."),
        ("abort", "Ends a job, at the server and at all sites."),
        ("clone", "Hands in a copy of a job, signed by you."),
        (
          "download",
          "Fetches what a job has made: the model, the report, the record of its rounds."
        ),
        ("delete", "Removes a job that is over from the server, with all that it has made."),
      ]
    ),
    (
      "Sites",
      [
        ("sites", "Lists the sites of the federation."),
        ("site-info", "Asks a site what it is and has."),
        ("disable", "Gives a site no new jobs; what it works at goes on."),
        ("enable", "Gives a site new jobs again."),
        ("remove", "Takes a site out of all jobs, and gives it no new ones until 'enable'."),
        ("restart", "Restarts the server, or a site; jobs go on where they were."),
        ("shutdown", "Stops the server, or a site; jobs go on when it is started again."),
        ("log-level", "Says how much the server, or a site, logs from now on."),
      ]
    ),
  ]

  /// How wide a line is, at most: what stands here is not to be broken again.
  private static let width = 76
  /// Where the words about a command begin.
  private static let column = 13

  /// The groups, each command in a line or two.
  static var text: String {
    groups.map { group in
      ([group.name + ":"] + group.commands.flatMap(lines(of:))).joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  private static func lines(of command: (name: String, abstract: String)) -> [String] {
    var lines = ["  " + command.name]
    lines[0] += String(repeating: " ", count: max(1, column - lines[0].count))
    var isEmpty = true
    for word in command.abstract.split(separator: " ") {
      let last = lines.count - 1
      if !isEmpty, lines[last].count + 1 + word.count > width {
        lines.append(String(repeating: " ", count: column) + word)
      } else {
        lines[last] += (isEmpty ? "" : " ") + word
      }
      isEmpty = false
    }
    return lines
  }
}
