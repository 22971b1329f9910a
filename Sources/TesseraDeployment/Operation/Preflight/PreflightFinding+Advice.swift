extension PreflightFinding.Code {
  /// What to do about it; `nil` if there is nothing to do.
  public var advice: String? {
    switch self {
    case .kitWhole, .certificateGood, .keysPrivate, .clockGood, .clockAgrees, .nameResolved,
      .serverGood,
      .portFree, .portOwn, .diskGood, .folderWritable, .filesGood, .policyGood, .dataGood,
      .pythonGood, .databaseGood:
      nil
    case .kitUnreadable:
      "Name the folder that has manifest.json, and start as the user that owns it; else ask the administrator for the kit again."
    case .kitAltered:
      "Copy the kit again as it came from the administrator: nothing in startup/ may be changed."
    case .kitUntrusted:
      "Put own.key and own.crt of the same kit together; the kit of a request belongs beside the keys of that request."
    case .certificateEndsSoon:
      "The administrator renews: tessera federation renew NAME --authority FOLDER. Copy startup/, manifest.json and manifest.json.sig, and restart."
    case .certificateOutOfTime:
      "Set the clock if it is wrong; else the administrator renews: tessera federation renew NAME --authority FOLDER."
    case .certificateRevoked:
      "Ask the administrator why; a participant comes back under a new name, with a new request."
    case .authorityEndsSoon:
      "The administrator provisions a new federation in good time: all kits are replaced."
    case .keysReadable: "chmod 600 startup/own.key startup/signing.key"
    case .clockBehind, .clockApart, .clockDiffers:
      "Let the machine take its time from a time server: timedatectl set-ntp true."
    case .nameUnresolved:
      "Ask who runs the name service, or add the server's address to /etc/hosts."
    case .serverUnreachable:
      "Let this machine open connections to that address and port: outgoing TCP, nothing incoming."
    case .serverNotListening:
      "Start the server, or ask whether it runs; a firewall that refuses connections looks the same."
    case .serverWithoutTLS:
      "Ask what listens at that port; something between here and the server may open TLS: it must not."
    case .serverUntrusted:
      "Do not go on: what answers is not this federation's server. Ask the administrator by telephone."
    case .serverRefuses:
      "Ask the server's operator what its log says; a revoked certificate is refused, and an old kit is."
    case .serverOtherName:
      "Ask the administrator whether this server's kit is the one that belongs there."
    case .portTaken: "Find who has it: ss -ltnp; stop that program, or provision another port."
    case .portNotAllowed:
      "Take a port above 1023, or give the service the capability CAP_NET_BIND_SERVICE."
    case .diskLow, .diskFull:
      "Make room: delete jobs that were downloaded, or move the kit to a larger disk."
    case .folderReadOnly:
      "chown the kit to the user that starts the program, and name it in ReadWritePaths of the service."
    case .filesFew: "Raise the limit: LimitNOFILE=65536 in the service, or ulimit -n 65536."
    case .policyWrong: "Put right the line that the message names."
    case .dataWrong: "Put right the line that the message names."
    case .dataNone: "Say in local/data.yml where this site's data are, by the names that jobs use."
    case .dataUnreadable:
      "Put right the path in local/data.yml, or let the user that starts the program read it."
    case .databaseMissing:
      "Set $TESSERA_DATABASE for this program, too; sudo and units do not pass it on by themselves."
    case .databaseInTheClear:
      "Add sslmode=verify-full to the address, and sslrootcert with the database's authority."
    case .databaseUnreachable:
      "The end of the message says why: look at host, port, user and password of the address, and at pg_hba.conf of the database."
    case .databaseNewer: "Update this server: another one of a newer version has been here."
    case .databaseRefused:
      "Make the address's user the owner of the database; each federation needs a database of its own."
    case .pythonMissing:
      "Install what is missing for the python3 that the site finds on its PATH, or leave run-external at none in local/policy.yml; see docs/python-trainers.md."
    }
  }
}
