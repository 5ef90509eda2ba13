/// The style of the page with the timeline: readable in light and dark, on a narrow screen and on paper.
enum TimingsStyle {
    static let text = """
        :root { color-scheme: light dark; --text: #1b1b1b; --page: #ffffff; --line: #c8c8c8; --quiet: #595959; }
        @media (prefers-color-scheme: dark) {
          :root { --text: #ececec; --page: #17191c; --line: #454a50; --quiet: #a9adb2; }
        }
        body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 90rem; margin: 0 auto; padding: 1rem; }
        h1 { font-size: 1.3rem; line-height: 1.3; overflow-wrap: anywhere; }
        .legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0; margin: 1rem 0; }
        .key { display: inline-block; width: 1rem; height: 1rem; margin-right: .4rem; vertical-align: -.15rem; }
        .key, .bar { border: 1px solid rgb(0 0 0 / .45); border-radius: 2px; box-sizing: border-box; }
        .timeline { margin: 1.5rem 0; padding-right: 2.5rem; }
        .row { display: flex; align-items: flex-start; border-top: 1px solid var(--line); padding: .2rem 0; }
        .axis { border-top: 0; }
        .name { flex: 0 0 9rem; padding-right: .6rem; font-size: .85rem; line-height: 1.4rem; overflow: hidden; \
        text-overflow: ellipsis; white-space: nowrap; }
        .track { position: relative; flex: 1; min-height: 1.4rem; }
        .tick { position: absolute; border-left: 1px solid var(--line); padding-left: .25rem; height: 1.4rem; }
        .tick span { font-size: .75rem; color: var(--quiet); white-space: nowrap; }
        .bar { position: absolute; height: 1.3rem; min-width: 3px; overflow: hidden; container-type: inline-size; }
        .bar span { display: block; padding: 0 .25rem; font-size: .75rem; line-height: 1.2rem; color: #000000; \
        white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
        @container (max-width: 2rem) { .bar span { display: none; } }
        .evaluation { background: #c9b3e6; } .checks { background: #e3c6f0; } .build { background: #f2b880; }
        .preflight { background: #bfc5cc; } .agent { background: #dfe3e8; } .copy { background: #8fc1ea; }
        .remoteBuild { background: #f5d08a; } .activation { background: #8fd3a6; } .confirmation { background: #d3ec9b; }
        .healthCheck { background: #b5e0b0; } .probe { background: #e9e58e; }
        .rollback { background: #f09a94; } .revocation { background: #f5b8c4; } .verification { background: #a8e0dc; }
        table { border-collapse: collapse; font-size: .9rem; }
        caption { text-align: left; font-weight: 600; padding: .4rem 0; }
        th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-top: 1px solid var(--line); font-weight: normal; \
        overflow-wrap: break-word; vertical-align: top; }
        .scroll { overflow-x: auto; }
        thead th { font-weight: 600; }
        .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        @media (max-width: 40rem) { .name { flex-basis: 5rem; } main { padding: .6rem; } \
        .tick:nth-child(even) { display: none; } }
        @media print { .bar, .key { print-color-adjust: exact; } }
        """
}
