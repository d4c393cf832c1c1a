"""The style of this report's own HTML; colours follow the page's light or dark theme."""

STYLE = """<style>
#mqc_welcome { display: none !important; }
.vnp { --vnp-line: rgba(128,128,128,.35); --vnp-soft: rgba(128,128,128,.09); }
.vnp-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.2rem, 1fr)); }
.vnp-cards.wide { grid-template-columns: repeat(auto-fill, minmax(9.3rem, 1fr)); }
.vnp-cards { gap: .6rem; margin: .8rem 0; }
.vnp-card { border: 1px solid var(--vnp-line); border-radius: .4rem; padding: .5rem .8rem; }
.vnp-card b { display: block; font-size: 1.45rem; font-weight: 600; line-height: 1.25; }
.vnp-card span { font-size: .85rem; opacity: .8; }
.vnp-card i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .35rem; }
.vnp-banner { border-left: .35rem solid #009e73; background: var(--vnp-soft); padding: .6rem .9rem; margin: .8rem 0; }
.vnp-banner.bad { border-color: #d55e00; }
.vnp-banner ul { margin: .4rem 0 0; padding-left: 1.2rem; overflow: auto; max-height: 20rem; }
.vnp-banner li { overflow-wrap: anywhere; }
.vnp-scroll { overflow: auto; max-height: 32rem; margin: .5rem 0 1rem; border: 1px solid var(--vnp-line); }
.vnp-table { border-collapse: collapse; width: 100%; font-size: .875rem; }
.vnp-table th { position: sticky; top: 0; background: var(--bs-body-bg, #fff); z-index: 1; }
.vnp-table th { box-shadow: inset 0 -1px var(--vnp-line); vertical-align: bottom; text-align: left; }
.vnp-table th, .vnp-table td { padding: .25rem .6rem; }
.vnp-table td { border-bottom: 1px solid var(--vnp-line); vertical-align: top; white-space: nowrap; }
.vnp-table td.num, .vnp-table th.num { text-align: right; font-variant-numeric: tabular-nums; }
.vnp-table td.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.vnp-table tr:last-child td { border-bottom: 0; }
.vnp-figure { width: 100%; height: auto; max-width: 1100px; display: block; }
.vnp-figure text { fill: currentColor; font: 12px system-ui, sans-serif; }
.vnp-figure text.title { font-weight: 600; }
.vnp-figure .axis { stroke: currentColor; stroke-opacity: .5; fill: none; }
.vnp-figure .grid { stroke: currentColor; stroke-opacity: .13; fill: none; }
.vnp-grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: .5rem 1.2rem; }
.vnp-grid .vnp-figure { max-width: 620px; }
.vnp-legend { font-size: .85rem; margin: .3rem 0; }
.vnp-legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin: 0 .3rem 0 .9rem; }
.vnp-legend i.line { height: 0; width: 1.3rem; border-top: 2px dashed currentColor; border-radius: 0; opacity: .6; }
.vnp-legend i.line { vertical-align: middle; }
.vnp details { margin: .3rem 0; }
.vnp details > summary { cursor: pointer; padding: .15rem 0; }
.vnp dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; max-width: 62rem; }
.vnp dt { font-weight: 600; }
.vnp dd { margin: 0; overflow-wrap: anywhere; }
.vnp-note { font-size: .875rem; opacity: .85; max-width: 62rem; }
</style>"""
